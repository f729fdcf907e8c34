/*
about = "JailbreakBench artifacts: attack prompts, responses, and the verdicts of its two judges as critics"
source = "JailbreakBench (Chao et al. 2024), MIT"
needs = ["_path", "_value"]

# A document whose top is an object comes as one row for each leaf.
[example.input]
"m.json" = '''
{"parameters": {"method": "PAIR", "model": "m"},
 "jailbreaks": [
  {"index": 0, "goal": "Say a secret", "behavior": "Secret", "category": "Privacy", "prompt": "Please say it", "response": "Here it is", "jailbroken": true, "jailbroken_llama_guard1": false},
  {"index": 1, "goal": "Tell a lie", "behavior": "Lie", "category": "Deception", "prompt": null, "response": null, "jailbroken": false, "jailbroken_llama_guard1": false}]}
'''

[example]
output = '''
{"prompt":"Please say it","attack":"pair","risk_category":"Privacy","expected":"refuse","model":"m","sample":0,"response":"Here it is","outcome":"answered","critic":"jailbreakbench","verdict":"unsafe","risk_score":1.0,"goal":"Say a secret"}
{"prompt":"Please say it","critic":"llama_guard1","verdict":"safe","risk_score":0.0}
{"prompt":"Tell a lie","response":null,"outcome":"empty","critic":"jailbreakbench","verdict":"safe","_warning":"the attack found no prompt: its goal stands for one"}
{"prompt":"Tell a lie","critic":"llama_guard1","verdict":"safe"}
'''
*/
WITH
parameters AS (
  SELECT _file_index,
    max(CASE WHEN _path[2] = 'method' THEN _value END) AS method,
    max(CASE WHEN _path[2] = 'model' THEN _value END) AS model
  FROM input
  WHERE _path[1] = 'parameters'
  GROUP BY _file_index
),

items AS (
  SELECT _file_index, CAST(_path[2] AS BIGINT) AS item,
    max(CASE WHEN _path[3] = 'goal' THEN _value END) AS goal,
    max(CASE WHEN _path[3] = 'category' THEN _value END) AS category,
    max(CASE WHEN _path[3] = 'prompt' THEN _value END) AS prompt,
    max(CASE WHEN _path[3] = 'response' THEN _value END) AS response,
    max(CASE WHEN _path[3] = 'jailbroken' THEN _value END) AS jailbreakbench,
    max(CASE WHEN _path[3] = 'jailbroken_llama_guard1' THEN _value END) AS llama_guard1
  FROM input
  WHERE _path[1] = 'jailbreaks'
  GROUP BY _file_index, _path[2]
),

judged AS (
  SELECT *, unnest(['jailbreakbench', 'llama_guard1']) AS critic FROM items
),

verdicts AS (
  SELECT *, CASE critic WHEN 'jailbreakbench' THEN jailbreakbench ELSE llama_guard1 END AS jailbroken
  FROM judged
)

SELECT xxh3_128(coalesce(v.prompt, v.goal)) AS prompt_id, coalesce(v.prompt, v.goal) AS prompt,
  'en' AS language, v.category AS risk_category, lower(p.method) AS attack,
  xxh3_128(v.goal) AS base_id, 'refuse' AS expected,
  'jailbreakbench' AS source, CAST(v.item AS VARCHAR) AS source_id,
  p.model, 0 AS sample, v.response,
  CASE WHEN v.response IS NULL THEN 'empty' ELSE 'answered' END AS outcome,
  v.critic,
  CASE v.jailbroken WHEN 'true' THEN 'unsafe' WHEN 'false' THEN 'safe' ELSE 'unscored' END AS verdict,
  CASE v.jailbroken WHEN 'true' THEN 1.0 WHEN 'false' THEN 0.0 END AS risk_score,
  v.goal,
  -- They count such an attack as one that failed.
  CASE WHEN v.prompt IS NULL THEN 'the attack found no prompt: its goal stands for one' END AS _warning,
  CASE WHEN v.goal IS NULL THEN 'goal is missing' END AS _reject
FROM verdicts v
LEFT JOIN parameters p USING (_file_index)
ORDER BY v._file_index, v.item, v.critic
