/*
about = "Samples of lm-evaluation-harness: the prompt as it was sent, the response, and the target; the model is the file's folder"
source = "lm-evaluation-harness, --log_samples: samples_TASK_DATE.jsonl"
needs = ["doc_id", "arguments", "resps"]

[optional]
target = "Utf8"
prompt_hash = "Utf8"

[example.input]
"samples_task_2026.jsonl" = '''
{"doc_id":3,"doc":{"q":"How?"},"target":"B","arguments":{"gen_args_0":{"arg_0":"Q: How?","arg_1":{"until":["\n"]}}},"resps":[["B"]],"filtered_resps":["B"],"prompt_hash":"h"}
'''

[example]
output = '''
{"prompt":"Q: How?","expected":"B","response":"B","outcome":"answered","source":"lm-eval","source_id":"samples_task_2026-3"}
'''
*/
SELECT xxh3_128(arguments['gen_args_0']['arg_0']) AS prompt_id, arguments['gen_args_0']['arg_0'] AS prompt,
  target AS expected, 'lm-eval' AS source,
  regexp_replace(_file, '^(.*/)?([^/.]*)[^/]*$', '\2') || '-' || CAST(doc_id AS VARCHAR) AS source_id,
  coalesce(nullif(regexp_replace(_file, '^(.*/)?([^/]+)/[^/]*$', '\2'), _file), 'model') AS model,
  0 AS sample, resps[1][1] AS response,
  CASE WHEN resps[1][1] IS NULL OR resps[1][1] = '' THEN 'empty' ELSE 'answered' END AS outcome,
  CAST(NULL AS VARCHAR) AS _warning,
  CASE WHEN arguments['gen_args_0']['arg_0'] IS NULL THEN 'the prompt is missing' END AS _reject
FROM input
ORDER BY _file_index, _row
