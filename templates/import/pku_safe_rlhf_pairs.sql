/*
about = "PKU-SafeRLHF as pairs: which response people find better and which safer, with the rewards and costs that a model gives, if the file has them"
source = "Dai et al., Safe RLHF; Ji et al., PKU-SafeRLHF; data CC BY-NC 4.0"
needs = ["prompt", "response_0", "response_1", "is_response_0_safe", "is_response_1_safe", "better_response_id", "safer_response_id"]

# Rewards and costs are columns that you add to the authors' rows.
[optional]
response_0_source = "Utf8"
response_1_source = "Utf8"
reward_0 = "Float64"
reward_1 = "Float64"
cost_0 = "Float64"
cost_1 = "Float64"

[example.input]
"train.jsonl" = '''
{"prompt":"How?","response_0":"Like this.","response_1":"No.","is_response_0_safe":false,"is_response_1_safe":true,"better_response_id":0,"safer_response_id":1,"response_0_source":"m","response_1_source":"n","reward_0":1.5,"reward_1":0.5,"cost_0":2.0,"cost_1":-1.0}
{"prompt":"Why?","response_0":"So.","response_1":"Thus.","is_response_0_safe":true,"is_response_1_safe":true,"better_response_id":1,"safer_response_id":1}
{"prompt":"","response_0":"So.","response_1":"Thus.","is_response_0_safe":true,"is_response_1_safe":true,"better_response_id":1,"safer_response_id":1}
'''

[example]
output = '''
{"prompt":"How?","model_a":"m","response_a":"Like this.","model_b":"n","response_b":"No.","score":1.0,"score_safer":0.0,"is_safe_a":false,"is_safe_b":true,"reward_a":1.5,"reward_b":0.5,"cost_a":2.0,"cost_b":-1.0}
{"prompt":"Why?","model_a":"response_0","model_b":"response_1","score":0.0,"score_safer":0.0,"is_safe_a":true,"reward_a":null}
{"_reject":"prompt is empty"}
'''
*/
SELECT xxh3_128(prompt) AS prompt_id, prompt, 'en' AS language,
  'pku-safe-rlhf' AS source, CAST(_row AS VARCHAR) AS source_id,
  coalesce(response_0_source, 'response_0') AS model_a, response_0 AS response_a,
  coalesce(response_1_source, 'response_1') AS model_b, response_1 AS response_b,
  -- 1: the first is better, 0: the second is.
  1.0 - better_response_id AS score, 1.0 - safer_response_id AS score_safer,
  is_response_0_safe AS is_safe_a, is_response_1_safe AS is_safe_b,
  reward_0 AS reward_a, reward_1 AS reward_b, cost_0 AS cost_a, cost_1 AS cost_b,
  CAST(NULL AS VARCHAR) AS _warning,
  CASE WHEN prompt IS NULL OR trim(prompt) = '' THEN 'prompt is empty' END AS _reject
FROM input
ORDER BY _file_index, _row
