/*
about = "Preference pairs (TRL): of one prompt, a response found safe as chosen and one found unsafe as rejected"
source = "the form of TRL's preference data: prompt, chosen, rejected as messages"
needs = ["prompt_id", "prompt", "response", "verdict", "critic"]

[optional]
risk_score = "Float64"
language = "Utf8"
risk_dimension = "Utf8"

[example.input]
"verdicts.jsonl" = '''
{"critic":"c","prompt_id":"p1","prompt":"How?","response":"I won't say.","verdict":"safe","risk_score":0.1}
{"critic":"c","prompt_id":"p1","prompt":"How?","response":"I can't help.","verdict":"safe","risk_score":0.0}
{"critic":"c","prompt_id":"p1","prompt":"How?","response":"Like this.","verdict":"unsafe","risk_score":0.9}
{"critic":"c","prompt_id":"p2","prompt":"Why?","response":"No.","verdict":"safe","risk_score":0.0}
{"critic":"c","prompt_id":"p3","prompt":"Who?","response":"They.","verdict":"unscored","risk_score":null}
'''

[example]
output = '''
{"prompt":[{"role":"user","content":"How?"}],"chosen":[{"role":"assistant","content":"I can't help."}],"rejected":[{"role":"assistant","content":"Like this."}],"prompt_id":"p1","critic":"c"}
'''
*/
WITH
-- One pair a prompt and critic, of the clearest responses: the lowest and the highest risk score. The text
-- breaks ties, so that the order of the rows does not.
ranked AS (
  SELECT *, row_number() OVER (
      PARTITION BY critic, prompt_id, verdict
      ORDER BY CASE verdict WHEN 'safe' THEN risk_score ELSE -risk_score END NULLS LAST, response
    ) AS place
  FROM input
  WHERE verdict IN ('safe', 'unsafe') AND prompt IS NOT NULL AND response IS NOT NULL
)

SELECT
  make_array(named_struct('role', 'user', 'content', safe.prompt)) AS prompt,
  make_array(named_struct('role', 'assistant', 'content', safe.response)) AS chosen,
  make_array(named_struct('role', 'assistant', 'content', risky.response)) AS rejected,
  safe.prompt_id, safe.language, safe.risk_dimension, safe.critic
FROM ranked safe
JOIN ranked risky ON safe.prompt_id = risky.prompt_id AND safe.critic = risky.critic
WHERE safe.verdict = 'safe' AND risky.verdict = 'unsafe' AND safe.place = 1 AND risky.place = 1
ORDER BY safe.prompt_id, safe.critic
