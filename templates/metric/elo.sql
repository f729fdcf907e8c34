/*
about = "Ratings on Elo's scale from pairwise comparisons, with intervals: the likeliest ones (Bradley and Terry), in any order of the rows"
source = "Bradley and Terry 1952; Elo's scale as in Safe RLHF (Dai et al. 2023)"
needs = ["model_a", "model_b", "score"]

[example.input]
"rows.jsonl" = '''
{"model_a":"m","model_b":"n","score":1.0}
{"model_a":"m","model_b":"n","score":0.5}
{"model_a":"n","model_b":"m","score":0.5}
{"model_a":"n","model_b":"m","score":null}
'''

# One win and two ties of three: 2 to 1 among them, drawn a little to the mean.
[example]
output = '''
{"model":"m","n":3,"unscored":1,"rating":1050.8917215}
{"model":"n","n":3,"unscored":1,"rating":949.1082785}
'''
*/
WITH
rated AS (
  SELECT unnest(bradley_terry(model_a, model_b, score)) AS one FROM input
),

sides AS (
  SELECT model, count(score) AS n, count(*) - count(score) AS unscored
  FROM (SELECT unnest([model_a, model_b]) AS model, score FROM input)
  GROUP BY model
)

SELECT s.model, s.n, s.unscored,
  r.one['rating'] AS rating, r.one['low'] AS rating_low, r.one['high'] AS rating_high
FROM sides s
LEFT JOIN rated r ON r.one['name'] = s.model
ORDER BY rating DESC NULLS LAST, s.model
