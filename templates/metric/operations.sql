/*
about = "What asking cost: requests, tokens, money, and how long answers took"
source = "seval"
needs = ["model"]

[optional]
critic = "Utf8"
critic_model = "Utf8"
cost = "Float64"
input_tokens = "Int64"
output_tokens = "Int64"
latency_ms = "Int64"
attempts = "Int64"

# Two critics' verdicts on one response are one request.
[example.input]
"verdicts.jsonl" = '''
{"critic":"c","model":"m","prompt_id":"p1","sample":0,"cost":0.5,"input_tokens":10,"output_tokens":20,"latency_ms":100,"attempts":1}
{"critic":"d","model":"m","prompt_id":"p1","sample":0,"cost":0.5,"input_tokens":10,"output_tokens":20,"latency_ms":100,"attempts":1}
{"critic":"c","model":"m","prompt_id":"p2","sample":0,"cost":0.25,"input_tokens":10,"output_tokens":null,"latency_ms":300,"attempts":3}
{"critic":"d","model":"n","prompt_id":"p1","sample":0}
'''

[example]
output = '''
{"model":"m","requests":2,"cost":0.75,"input_tokens":20,"output_tokens":20,"latency_p50":200.0,"latency_p90":280.0,"latency_p99":298.0,"attempts":4}
{"model":"n","requests":1,"cost":null,"input_tokens":null,"output_tokens":null,"latency_p50":null,"attempts":null}
'''
*/
WITH
-- Every critic's rows repeat the responses: those of one critic of a model are all of them.
critics AS (
  SELECT *, coalesce(critic, '') || coalesce(critic_model, '') AS judge FROM input
),

responses AS (
  SELECT * FROM (SELECT *, min(judge) OVER (PARTITION BY model) AS first_judge FROM critics)
  WHERE judge = first_judge
)

SELECT model, count(*) AS requests,
  -- Millionths, so that the sum does not depend on the order.
  sum(CAST(round(cost * 1e6) AS BIGINT)) / 1e6 AS cost,
  sum(input_tokens) AS input_tokens, sum(output_tokens) AS output_tokens,
  percentile(latency_ms, 0.5) AS latency_p50,
  percentile(latency_ms, 0.9) AS latency_p90,
  percentile(latency_ms, 0.99) AS latency_p99,
  sum(attempts) AS attempts
FROM responses
GROUP BY model
ORDER BY model
