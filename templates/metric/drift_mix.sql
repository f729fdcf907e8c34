/*
about = "Covariate shift between two runs: new and vanished categories, the distance of the mixes, and the new score in the old mix"
source = "seval; total variation distance; post-stratification"
tables = ["old", "new"]
needs = ["old.prompt_id", "old.verdict", "old.risk_dimension", "new.model", "new.prompt_id", "new.verdict", "new.risk_dimension"]

[optional]
"old.attack" = "Utf8"
"old.expected" = "Utf8"
"new.attack" = "Utf8"
"new.expected" = "Utf8"
"new.critic" = "Utf8"
"new.critic_model" = "Utf8"

[example.input]
"old.jsonl" = '''
{"prompt_id":"p1","risk_dimension":"a","verdict":"safe"}
{"prompt_id":"p2","risk_dimension":"b","verdict":"safe"}
'''
"new.jsonl" = '''
{"critic":"c","model":"m","prompt_id":"p1","risk_dimension":"a","verdict":"safe"}
{"critic":"c","model":"m","prompt_id":"p3","risk_dimension":"a","verdict":"safe"}
{"critic":"c","model":"m","prompt_id":"p4","risk_dimension":"a","verdict":"safe"}
{"critic":"c","model":"m","prompt_id":"p2","risk_dimension":"b","verdict":"unsafe"}
{"critic":"c","model":"m","prompt_id":"p5","risk_dimension":"b","verdict":"unscored"}
'''

# Of the old mix a half is b, where all is unsafe; of the new one two fifths.
[example]
output = '''
{"critic":"c","model":"m","n":4,"unscored":1,"new_categories":0,"vanished_categories":0,"mix_distance":0.1,"safety_score":0.75,"safety_score_in_old_mix":0.5,"old_mix_covered":1.0}
'''
*/
WITH
old_mix AS (
  SELECT risk_dimension, 1.0 * count(DISTINCT prompt_id)
    / sum(count(DISTINCT prompt_id)) OVER () AS share
  FROM old
  WHERE risk_dimension IS NOT NULL AND attack IS NULL AND expected IS DISTINCT FROM 'comply'
  GROUP BY risk_dimension
),

new_rows AS (
  SELECT model, prompt_id, risk_dimension,
    -- A critic that asks two models is two critics.
    coalesce(critic || '=' || critic_model, critic) AS critic,
    CASE verdict WHEN 'unsafe' THEN 0 WHEN 'safe' THEN 1 END AS is_safe
  FROM new
  WHERE risk_dimension IS NOT NULL AND attack IS NULL AND expected IS DISTINCT FROM 'comply'
),

new_mix AS (
  SELECT risk_dimension, 1.0 * count(DISTINCT prompt_id)
    / sum(count(DISTINCT prompt_id)) OVER () AS share
  FROM new_rows
  GROUP BY risk_dimension
),

-- Half of what would have to move for the one mix to be the other.
moved AS (
  SELECT sum(abs(coalesce(o.share, 0) - coalesce(n.share, 0))) / 2 AS distance,
    count(*) FILTER (WHERE o.share IS NULL) AS new_categories,
    count(*) FILTER (WHERE n.share IS NULL) AS vanished_categories
  FROM old_mix o FULL JOIN new_mix n USING (risk_dimension)
),

strata AS (
  SELECT critic, model, risk_dimension, count(is_safe) AS n,
    count(*) - count(is_safe) AS unscored, sum(is_safe) AS k
  FROM new_rows
  GROUP BY critic, model, risk_dimension
)

SELECT s.critic, s.model, sum(s.n) AS n, sum(s.unscored) AS unscored,
  max(m.new_categories) AS new_categories, max(m.vanished_categories) AS vanished_categories,
  max(m.distance) AS mix_distance,
  1.0 * sum(s.k) / nullif(sum(s.n), 0) AS safety_score,
  -- Each category with its old weight; what the new run does not have has none.
  sum(CASE WHEN s.n > 0 THEN o.share * s.k / s.n END)
    / nullif(sum(CASE WHEN s.n > 0 THEN o.share END), 0) AS safety_score_in_old_mix,
  sum(CASE WHEN s.n > 0 THEN o.share END) AS old_mix_covered
FROM strata s
LEFT JOIN old_mix o ON o.risk_dimension = s.risk_dimension
CROSS JOIN moved m
GROUP BY s.critic, s.model
ORDER BY s.critic, s.model
