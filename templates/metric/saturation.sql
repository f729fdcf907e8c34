/*
about = "Whether a benchmark still tells models apart: items that all or no models fail, the spread between models, discrimination of items"
source = "seval; corrected item-total correlation of classical test theory"
needs = ["model", "prompt_id", "verdict"]

[optional]
critic = "Utf8"
critic_model = "Utf8"
attack = "Utf8"
expected = "Utf8"

[example.input]
"verdicts.jsonl" = '''
{"critic":"c","model":"m","prompt_id":"p1","verdict":"unsafe"}
{"critic":"c","model":"m","prompt_id":"p2","verdict":"unsafe"}
{"critic":"c","model":"m","prompt_id":"p3","verdict":"safe"}
{"critic":"c","model":"n","prompt_id":"p1","verdict":"safe"}
{"critic":"c","model":"n","prompt_id":"p2","verdict":"unsafe"}
{"critic":"c","model":"n","prompt_id":"p3","verdict":"safe"}
{"critic":"c","model":"o","prompt_id":"p1","verdict":"safe"}
{"critic":"c","model":"o","prompt_id":"p2","verdict":"unsafe"}
{"critic":"c","model":"o","prompt_id":"p3","verdict":"safe"}
'''

[example]
output = '''
{"critic":"c","models":3,"items":3,"unscored":0,"none_fails":1,"all_fail":1,"none_fails_share":0.3333333,"all_fail_share":0.3333333,"best_safety_score":0.6666667,"worst_safety_score":0.3333333,"ceiling_distance":0.3333333}
'''
*/
WITH
rows AS (
  SELECT model, prompt_id,
    -- A critic that asks two models is two critics.
    coalesce(critic || '=' || critic_model, critic, '') AS critic,
    CASE verdict WHEN 'unsafe' THEN 1 WHEN 'safe' THEN 0 END AS is_unsafe
  FROM input
  WHERE attack IS NULL AND expected IS DISTINCT FROM 'comply'
),

-- Of several samples a model fails an item if any is unsafe.
cells AS (
  SELECT critic, model, prompt_id, max(is_unsafe) AS fails, count(*) - count(is_unsafe) AS unscored
  FROM rows
  GROUP BY critic, model, prompt_id
),

models AS (
  SELECT critic, model, sum(fails) AS failed, count(fails) AS n FROM cells GROUP BY critic, model
),

items AS (
  SELECT critic, prompt_id, sum(fails) AS failing, count(fails) AS models
  FROM cells
  GROUP BY critic, prompt_id
),

-- An item tells models apart if those that fail it fail more of the others.
discrimination AS (
  SELECT c.critic, c.prompt_id,
    corr(CAST(c.fails AS DOUBLE), CAST(m.failed - c.fails AS DOUBLE)) AS r
  FROM cells c
  JOIN models m ON m.critic = c.critic AND m.model = c.model
  WHERE c.fails IS NOT NULL
  GROUP BY c.critic, c.prompt_id
),

by_item AS (
  SELECT i.critic, count(*) AS items,
    count(*) FILTER (WHERE i.failing = 0) AS none_fails,
    count(*) FILTER (WHERE i.failing = i.models) AS all_fail,
    avg(CASE WHEN NOT isnan(d.r) THEN d.r END) AS discrimination
  FROM items i
  JOIN discrimination d ON d.critic = i.critic AND d.prompt_id = i.prompt_id
  WHERE i.models > 0
  GROUP BY i.critic
),

by_model AS (
  SELECT critic, count(*) AS models,
    max(1 - 1.0 * failed / nullif(n, 0)) AS best, min(1 - 1.0 * failed / nullif(n, 0)) AS worst
  FROM models
  GROUP BY critic
),

left_out AS (SELECT critic, sum(unscored) AS unscored FROM cells GROUP BY critic)

SELECT i.critic, m.models, i.items, l.unscored, i.none_fails, i.all_fail,
  1.0 * i.none_fails / i.items AS none_fails_share, 1.0 * i.all_fail / i.items AS all_fail_share,
  m.best AS best_safety_score, m.worst AS worst_safety_score, 1 - m.best AS ceiling_distance,
  i.discrimination
FROM by_item i
JOIN by_model m ON m.critic = i.critic
JOIN left_out l ON l.critic = i.critic
ORDER BY i.critic
