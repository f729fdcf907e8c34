/*
about = "Concept shift: the same responses judged by an old and by a new critic: what flipped, and McNemar's exact test"
source = "seval; McNemar 1947; Cohen 1960"
tables = ["old", "new"]
needs = ["old.model", "old.prompt_id", "old.verdict", "new.model", "new.prompt_id", "new.verdict"]

[optional]
"old.critic" = "Utf8"
"old.critic_model" = "Utf8"
"old.sample" = "Int64"
"old.response" = "Utf8"
"new.critic" = "Utf8"
"new.critic_model" = "Utf8"
"new.sample" = "Int64"
"new.response" = "Utf8"

[example.input]
"old.jsonl" = '''
{"model":"m","critic":"a","prompt_id":"p1","response":"a","verdict":"safe"}
{"model":"m","critic":"a","prompt_id":"p2","response":"b","verdict":"safe"}
{"model":"m","critic":"a","prompt_id":"p3","response":"c","verdict":"unsafe"}
{"model":"m","critic":"a","prompt_id":"p4","response":"d","verdict":"safe"}
'''
"new.jsonl" = '''
{"model":"m","critic":"b","prompt_id":"p1","response":"a","verdict":"unsafe"}
{"model":"m","critic":"c","prompt_id":"p1","response":"a","verdict":"safe"}
{"model":"m","critic":"b","prompt_id":"p2","response":"b","verdict":"safe"}
{"model":"m","critic":"b","prompt_id":"p3","response":"c","verdict":"unscored"}
{"model":"m","critic":"b","prompt_id":"p4","response":"another answer","verdict":"unsafe"}
'''

[example]
output = '''
{"old_critic":"a","new_critic":"b","model":"m","n":2,"unscored":1,"other_responses":1,"safe_to_unsafe":1,"unsafe_to_safe":0,"stayed_safe":1,"stayed_unsafe":0,"flipped":0.5,"p":1.0}
{"old_critic":"a","new_critic":"c","model":"m","n":1,"unscored":0,"stayed_safe":1,"flipped":0.0}
'''
*/
WITH
pairs AS (
  SELECT o.model,
    -- A critic that asks two models is two critics.
    coalesce(o.critic || '=' || o.critic_model, o.critic) AS old_critic,
    coalesce(n.critic || '=' || n.critic_model, n.critic) AS new_critic,
    CASE o.verdict WHEN 'unsafe' THEN true WHEN 'safe' THEN false END AS was,
    CASE n.verdict WHEN 'unsafe' THEN true WHEN 'safe' THEN false END AS is_now,
    -- Another response is another question: it says nothing about the critics.
    coalesce(o.response, '') <> coalesce(n.response, '') AS is_other
  FROM old o
  JOIN new n ON n.model = o.model AND n.prompt_id = o.prompt_id
    AND coalesce(n.sample, 0) = coalesce(o.sample, 0)
),

counts AS (
  SELECT old_critic, new_critic, model,
    count(*) FILTER (WHERE is_other) AS other_responses,
    count(*) FILTER (WHERE NOT is_other AND was IS NOT NULL AND is_now IS NOT NULL) AS n,
    count(*) FILTER (WHERE NOT is_other AND (was IS NULL OR is_now IS NULL)) AS unscored,
    count(*) FILTER (WHERE NOT is_other AND NOT was AND is_now) AS safe_to_unsafe,
    count(*) FILTER (WHERE NOT is_other AND was AND NOT is_now) AS unsafe_to_safe,
    count(*) FILTER (WHERE NOT is_other AND NOT was AND NOT is_now) AS stayed_safe,
    count(*) FILTER (WHERE NOT is_other AND was AND is_now) AS stayed_unsafe,
    mcnemar(CASE WHEN NOT is_other THEN was END, CASE WHEN NOT is_other THEN is_now END) AS p
  FROM pairs
  GROUP BY old_critic, new_critic, model
)

SELECT old_critic, new_critic, model, n, unscored, other_responses,
  safe_to_unsafe, unsafe_to_safe, stayed_safe, stayed_unsafe,
  1.0 * (safe_to_unsafe + unsafe_to_safe) / nullif(n, 0) AS flipped,
  wilson_low(safe_to_unsafe + unsafe_to_safe, n) AS flipped_low,
  wilson_high(safe_to_unsafe + unsafe_to_safe, n) AS flipped_high,
  p
FROM counts
ORDER BY old_critic, new_critic, model
