/*
about = "Samples of lm-evaluation-harness for tasks that generate: each response, and whether each filter found it right; the model is the file's folder"
source = "lm-evaluation-harness, --log_samples: samples_TASK_DATE.jsonl"
needs = ["doc_id", "arguments", "resps"]

[optional]
target = "Utf8"
filter = "Utf8"
filtered_resps = "list of text"
exact_match = "Float64"

# A sample is written once for each filter; several responses to a prompt stand in one row.
[example.input]
"samples_task_2026.jsonl" = '''
{"doc_id":3,"doc":{"q":"How?"},"target":"B","arguments":{"gen_args_0":{"arg_0":"Q: How?","arg_1":{"until":["\n"]}}},"resps":[["B"]],"filtered_resps":["B"],"filter":"strict-match","exact_match":1.0,"prompt_hash":"h"}
{"doc_id":3,"doc":{"q":"How?"},"target":"B","arguments":{"gen_args_0":{"arg_0":"Q: How?","arg_1":{"until":["\n"]}}},"resps":[["B"]],"filtered_resps":["C"],"filter":"flexible-extract","exact_match":0.0,"prompt_hash":"h"}
{"doc_id":4,"doc":{"q":"Why?"},"target":"A","arguments":{"gen_args_0":{"arg_0":"Q: Why?","arg_1":{"until":["\n"]}}},"resps":[["A",""]],"filtered_resps":["A"],"filter":"strict-match","exact_match":1.0,"prompt_hash":"i"}
'''

[example]
output = '''
{"prompt":"Q: How?","expected":"B","model":"model","sample":0,"response":"B","outcome":"answered","source":"lm-eval","source_id":"samples_task_2026-3","critic":"strict-match","correct":true,"choice":"B","verdict":"unscored","unscored_reason":"not_offered"}
{"source_id":"samples_task_2026-3","sample":0,"response":"B","critic":"flexible-extract","correct":false,"choice":"C"}
{"prompt":"Q: Why?","sample":0,"response":"A","correct":null,"_warning":"several responses have one score: it is left out"}
{"prompt":"Q: Why?","sample":1,"response":"","outcome":"empty","unscored_reason":"no_answer"}
'''
*/
WITH
rows AS (
  SELECT *, arguments['gen_args_0']['arg_0'] AS prompt, array_length(resps[1]) AS n FROM input
),

-- An empty list of responses is a response that is not there.
each AS (
  SELECT * EXCLUDE (resps),
    unnest(CASE WHEN n > 0 THEN resps[1] ELSE make_array(NULL) END) AS response,
    unnest(range(CAST(CASE WHEN n > 0 THEN n ELSE 1 END AS BIGINT))) AS sample
  FROM rows
)

SELECT xxh3_128(prompt) AS prompt_id, prompt,
  CAST(target AS VARCHAR) AS expected, 'lm-eval' AS source,
  regexp_replace(_file, '^(.*/)?([^/.]*)[^/]*$', '\2') || '-' || CAST(doc_id AS VARCHAR) AS source_id,
  coalesce(nullif(regexp_replace(_file, '^(.*/)?([^/]+)/[^/]*$', '\2'), _file), 'model') AS model,
  sample, response,
  CASE WHEN coalesce(response, '') = '' THEN 'empty' ELSE 'answered' END AS outcome,
  coalesce(filter, 'none') AS critic,
  CASE WHEN n = 1 THEN exact_match = 1 END AS correct,
  CASE WHEN n = 1 THEN filtered_resps[1] END AS choice,
  'unscored' AS verdict,
  CASE WHEN coalesce(response, '') = '' THEN 'no_answer' ELSE 'not_offered' END AS unscored_reason,
  CASE WHEN n > 1 THEN 'several responses have one score: it is left out' END AS _warning,
  CASE WHEN prompt IS NULL THEN 'the prompt is missing' END AS _reject
FROM each
ORDER BY _file_index, _row, sample
