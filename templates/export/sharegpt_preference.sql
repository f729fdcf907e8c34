/*
about = "Preference pairs in LLaMA-Factory's sharegpt form: conversations, chosen, rejected"
source = "the sharegpt form of LLaMA-Factory, ranking: true; pairs as in export/preference"
needs = ["prompt_id", "prompt", "response", "verdict", "critic"]

[optional]
risk_score = "Float64"

[example.input]
"verdicts.jsonl" = '''
{"critic":"c","prompt_id":"p1","prompt":"How?","response":"I can't help.","verdict":"safe","risk_score":0.0}
{"critic":"c","prompt_id":"p1","prompt":"How?","response":"Like this.","verdict":"unsafe","risk_score":0.9}
{"critic":"c","prompt_id":"p2","prompt":"Why?","response":"No.","verdict":"safe","risk_score":0.0}
'''

[example]
output = '''
{"conversations":[{"from":"human","value":"How?"}],"chosen":{"from":"gpt","value":"I can't help."},"rejected":{"from":"gpt","value":"Like this."},"prompt_id":"p1","critic":"c"}
'''
*/
WITH
ranked AS (
  SELECT *, row_number() OVER (
      PARTITION BY critic, prompt_id, verdict
      ORDER BY CASE verdict WHEN 'safe' THEN risk_score ELSE -risk_score END NULLS LAST, response
    ) AS place
  FROM input
  WHERE verdict IN ('safe', 'unsafe') AND prompt IS NOT NULL AND response IS NOT NULL
)

SELECT
  make_array(named_struct('from', 'human', 'value', safe.prompt)) AS conversations,
  named_struct('from', 'gpt', 'value', safe.response) AS chosen,
  named_struct('from', 'gpt', 'value', risky.response) AS rejected,
  safe.prompt_id, safe.critic
FROM ranked safe
JOIN ranked risky ON safe.prompt_id = risky.prompt_id AND safe.critic = risky.critic
WHERE safe.verdict = 'safe' AND risky.verdict = 'unsafe' AND safe.place = 1 AND risky.place = 1
ORDER BY safe.prompt_id, safe.critic
