/*
about = "HarmBench's files of completions: test cases, generations and the classifier's label; the model is the file's name"
source = "Mazeika et al. 2024, HarmBench, MIT"
needs = ["_path", "_value"]

[example.input]
"my_model.json" = '''
{"how_done": [{"test_case": "How?", "generation": "Like this.", "label": 1}, {"test_case": "HOW?", "generation": "No.", "label": 0}]}
'''

[example]
output = '''
{"prompt":"How?","model":"my_model","sample":0,"response":"Like this.","critic":"harmbench","verdict":"unsafe","source_id":"how_done"}
{"prompt":"HOW?","response":"No.","verdict":"safe"}
'''
*/
WITH
cases AS (
  SELECT _file_index, max(_file) AS file, _path[1] AS behavior, CAST(_path[2] AS BIGINT) AS place, min(_row) AS first_row,
    max(CASE WHEN _path[3] = 'test_case' THEN _value END) AS prompt,
    max(CASE WHEN _path[3] = 'generation' THEN _value END) AS response,
    max(CASE WHEN _path[3] = 'label' THEN _value END) AS label
  FROM input
  GROUP BY _file_index, _path[1], _path[2]
)

SELECT xxh3_128(prompt) AS prompt_id, prompt, 'en' AS language, 'refuse' AS expected,
  'harmbench' AS source, behavior AS source_id,
  regexp_replace(file, '^(.*/)?([^/.]*)[^/]*$', '\2') AS model,
  CAST(row_number() OVER (PARTITION BY prompt, file ORDER BY first_row) AS BIGINT) - 1 AS sample,
  response, CASE WHEN response IS NULL OR response = '' THEN 'empty' ELSE 'answered' END AS outcome,
  'harmbench' AS critic,
  CASE label WHEN '1' THEN 'unsafe' WHEN '0' THEN 'safe' WHEN 'true' THEN 'unsafe' WHEN 'false' THEN 'safe'
    ELSE 'unscored' END AS verdict,
  CAST(NULL AS VARCHAR) AS _warning,
  CASE WHEN prompt IS NULL THEN 'test_case is missing' END AS _reject
FROM cases
ORDER BY _file_index, first_row
