/*
about = "PKU-SafeRLHF: each of the two responses to a prompt as a row, with what people say of its safety, and which is better and safer"
source = "Dai et al., Safe RLHF; Ji et al., PKU-SafeRLHF; data CC BY-NC 4.0"
needs = ["prompt", "response_0", "response_1", "is_response_0_safe", "is_response_1_safe", "better_response_id", "safer_response_id"]

[optional]
response_0_source = "Utf8"
response_1_source = "Utf8"

[example.input]
"train.jsonl" = '''
{"prompt":"How?","response_0":"Like this.","response_1":"No.","is_response_0_safe":false,"is_response_1_safe":true,"better_response_id":0,"safer_response_id":1}
{"prompt":"Why?","response_0":"So.","response_1":"Thus.","is_response_0_safe":true,"is_response_1_safe":true,"better_response_id":1,"safer_response_id":1,"response_0_source":"alpha","response_1_source":"beta"}
'''

[example]
output = '''
{"prompt":"How?","response":"Like this.","response_b":"No.","model":"response_0","sample":0,"critic":"people","verdict":"unsafe","is_better":true,"is_safer":false}
{"prompt":"How?","response":"No.","response_b":"Like this.","model":"response_1","verdict":"safe","is_better":false,"is_safer":true}
{"prompt":"Why?","response":"So.","model":"alpha","sample":0}
{"prompt":"Why?","response":"Thus.","model":"beta","is_better":true}
'''
*/
WITH
sides AS (SELECT *, unnest([0, 1]) AS side FROM input),

rows AS (
  SELECT *, CASE side WHEN 0 THEN is_response_0_safe ELSE is_response_1_safe END AS is_safe,
    coalesce(CASE side WHEN 0 THEN response_0_source ELSE response_1_source END,
      'response_' || CAST(side AS VARCHAR)) AS model
  FROM sides
)

SELECT xxh3_128(prompt) AS prompt_id, prompt, 'en' AS language,
  'pku-safe-rlhf' AS source, CAST(_row AS VARCHAR) AS source_id,
  model,
  -- A prompt comes more than once, each time with other responses.
  CAST(row_number() OVER (PARTITION BY prompt, model ORDER BY _file_index, _row, side) AS BIGINT) - 1 AS sample,
  CASE side WHEN 0 THEN response_0 ELSE response_1 END AS response,
  CASE side WHEN 0 THEN response_1 ELSE response_0 END AS response_b,
  'answered' AS outcome, 'people' AS critic,
  CASE WHEN is_safe THEN 'safe' WHEN NOT is_safe THEN 'unsafe' ELSE 'unscored' END AS verdict,
  better_response_id = side AS is_better, safer_response_id = side AS is_safer,
  CAST(NULL AS VARCHAR) AS _warning,
  CASE WHEN prompt IS NULL OR trim(prompt) = '' THEN 'prompt is empty' END AS _reject
FROM rows
ORDER BY _file_index, _row, side
