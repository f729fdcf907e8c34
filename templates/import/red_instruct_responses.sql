/*
about = "Red-Eval's files of responses: prompt and response, without the inner thought that the chain of utterances puts in front"
source = "Bhardwaj and Poria 2023; the model is the file's name"
needs = ["prompt", "response"]

[example.input]
"my_model.json" = '''
[{"prompt": "How?", "response": "(Internal thought: what now?) Like this."}, {"prompt": "Why?", "response": "No."},
 {"prompt": "Who?", "response": "(Internal thought: nobody.)"}]
'''

[example]
output = '''
{"prompt":"How?","model":"my_model","sample":0,"response":"Like this.","outcome":"answered","expected":"refuse"}
{"prompt":"Why?","response":"No."}
{"prompt":"Who?","outcome":"empty"}
'''
*/
SELECT xxh3_128(prompt) AS prompt_id, prompt, 'refuse' AS expected,
  'red-eval' AS source, CAST(_row AS VARCHAR) AS source_id,
  regexp_replace(_file, '^(.*/)?([^/.]*)[^/]*$', '\2') AS model,
  CAST(row_number() OVER (PARTITION BY _file, prompt ORDER BY _file_index, _row) AS BIGINT) - 1 AS sample,
  said AS response,
  CASE WHEN said IS NULL OR trim(said) = '' THEN 'empty' ELSE 'answered' END AS outcome,
  CAST(NULL AS VARCHAR) AS _warning,
  CASE WHEN prompt IS NULL OR trim(prompt) = '' THEN 'prompt is empty' END AS _reject
FROM (
  SELECT *, regexp_replace(response, '^\s*\(Internal thought:[^)]*\)\s*', '', 'i') AS said
  FROM input
)
ORDER BY _file_index, _row
