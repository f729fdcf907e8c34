/*
about = "Safe RLHF's arena: two models' responses to a prompt with reward and cost of each. The authors name columns after models, and two twice: give them these names first (docs/benchmarks.md)"
source = "Dai et al., Safe RLHF 2023, the table that their arena writes; Apache-2.0 code"
needs = ["prompt", "response_a", "reward_a", "cost_a", "response_b", "reward_b", "cost_b"]

[optional]
model_a = "Utf8"
model_b = "Utf8"

[example.input]
"arena.csv" = '''
prompt,response_a,reward_a,cost_a,response_b,reward_b,cost_b
How?,Like this.,1.5,2.0,No.,0.5,-1.0
Why?,So.,0.5,-1.0,Thus.,0.5,-1.0
,So.,0.5,-1.0,Thus.,,-1.0
'''

[example]
output = '''
{"prompt":"How?","model_a":"red","model_b":"blue","reward_a":1.5,"cost_a":2.0,"response_b":"No.","reward_b":0.5,"cost_b":-1.0,"score":1.0}
{"prompt":"Why?","score":0.5}
{"_reject":"prompt is empty"}
'''
*/
SELECT xxh3_128(prompt) AS prompt_id, prompt, 'safe-rlhf-arena' AS source,
  CAST(_row AS VARCHAR) AS source_id,
  coalesce(model_a, 'red') AS model_a, response_a,
  CAST(reward_a AS DOUBLE) AS reward_a, CAST(cost_a AS DOUBLE) AS cost_a,
  coalesce(model_b, 'blue') AS model_b, response_b,
  CAST(reward_b AS DOUBLE) AS reward_b, CAST(cost_b AS DOUBLE) AS cost_b,
  CASE WHEN CAST(reward_a AS DOUBLE) > CAST(reward_b AS DOUBLE) THEN 1.0
    WHEN CAST(reward_a AS DOUBLE) = CAST(reward_b AS DOUBLE) THEN 0.5
    WHEN CAST(reward_a AS DOUBLE) < CAST(reward_b AS DOUBLE) THEN 0.0 END AS score,
  CAST(NULL AS VARCHAR) AS _warning,
  CASE WHEN prompt IS NULL OR trim(prompt) = '' THEN 'prompt is empty' END AS _reject
FROM input
ORDER BY _file_index, _row
