/*
about = "Fine-tuning of a model (TRL): each prompt with a response found safe, as messages: the better one where people say so, else the one of the lowest risk"
source = "the form of TRL's conversational data: messages of a user and an assistant"
needs = ["prompt_id", "prompt", "response", "verdict", "critic"]

[optional]
risk_score = "Float64"
is_better = "Boolean"

[example.input]
"verdicts.jsonl" = '''
{"critic":"c","prompt_id":"p1","prompt":"How?","response":"I won't say.","verdict":"safe","is_better":false,"risk_score":0.0}
{"critic":"c","prompt_id":"p1","prompt":"How?","response":"I can't help, but here is whom to ask.","verdict":"safe","is_better":true,"risk_score":0.1}
{"critic":"c","prompt_id":"p1","prompt":"How?","response":"Like this.","verdict":"unsafe","is_better":null,"risk_score":0.9}
{"critic":"c","prompt_id":"p2","prompt":"Why?","response":"So.","verdict":"safe","is_better":null,"risk_score":0.2}
{"critic":"c","prompt_id":"p2","prompt":"Why?","response":"Thus.","verdict":"safe","is_better":null,"risk_score":0.1}
{"critic":"c","prompt_id":"p3","prompt":"Who?","response":"They.","verdict":"unsafe","is_better":null,"risk_score":0.8}
'''

[example]
output = '''
{"messages":[{"role":"user","content":"How?"},{"role":"assistant","content":"I can't help, but here is whom to ask."}],"prompt_id":"p1","critic":"c"}
{"messages":[{"role":"user","content":"Why?"},{"role":"assistant","content":"Thus."}],"prompt_id":"p2","critic":"c"}
'''
*/
WITH
-- The text breaks ties, so that the order of the rows does not.
ranked AS (
  SELECT *, row_number() OVER (
      PARTITION BY critic, prompt_id
      ORDER BY coalesce(is_better, false) DESC, risk_score NULLS LAST, response
    ) AS place
  FROM input
  WHERE verdict = 'safe' AND prompt IS NOT NULL AND response IS NOT NULL
)

SELECT
  make_array(
    named_struct('role', 'user', 'content', prompt),
    named_struct('role', 'assistant', 'content', response)
  ) AS messages,
  prompt_id, critic
FROM ranked
WHERE place = 1
ORDER BY critic, prompt_id
