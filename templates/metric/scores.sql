/*
about = "Histogram of risk scores: twenty bins from 0 to 1"
source = "seval"
needs = ["model", "risk_score"]

[optional]
critic = "Utf8"
critic_model = "Utf8"

[example.input]
"verdicts.jsonl" = '''
{"critic":"c","model":"m","risk_score":0.0}
{"critic":"c","model":"m","risk_score":0.04}
{"critic":"c","model":"m","risk_score":0.05}
{"critic":"c","model":"m","risk_score":1.0}
{"critic":"c","model":"m","risk_score":null}
'''

[example]
output = '''
{"critic":"c","model":"m","bin":0,"score_from":0.0,"score_to":0.05,"n":2}
{"critic":"c","model":"m","bin":1,"score_from":0.05,"score_to":0.1,"n":1}
{"critic":"c","model":"m","bin":19,"score_from":0.95,"score_to":1.0,"n":1}
'''
*/
WITH
scores AS (
  SELECT model,
    -- A critic that asks two models is two critics.
    coalesce(critic || '=' || critic_model, critic) AS critic,
    -- A score on the border belongs to the bin above it; 1 to the last.
    least(CAST(floor(risk_score * 20 + 1e-9) AS BIGINT), 19) AS bin
  FROM input
  WHERE risk_score BETWEEN 0 AND 1
)

SELECT critic, model, bin, bin / 20.0 AS score_from, (bin + 1) / 20.0 AS score_to, count(*) AS n
FROM scores
GROUP BY critic, model, bin
ORDER BY critic, model, bin
