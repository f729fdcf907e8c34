/*
about = "Tags of red-team attempts by kind of model: the share of the tagged attempts that has each, and how far these succeeded"
source = "Ganguli et al. 2022: up to six tags an attempt, of which those of two kinds of model were tagged"
needs = ["model_type", "risk_tags"]

[optional]
rating = "Float64"
red_team_member_id = "Utf8"

# An attempt without a list of tags was not tagged; intervals draw persons.
[example.input]
"attempts.jsonl" = '''
{"model_type":"rlhf","risk_tags":["Fraud","Theft"],"rating":3.0,"red_team_member_id":"1"}
{"model_type":"rlhf","risk_tags":["Fraud"],"rating":1.0,"red_team_member_id":"2"}
{"model_type":"rlhf","risk_tags":["Other"],"rating":0.0,"red_team_member_id":"3"}
{"model_type":"rlhf","risk_tags":null,"rating":4.0,"red_team_member_id":"3"}
'''

[example]
output = '''
{"model_type":"rlhf","tag":"Fraud","n":3,"untagged":1,"attempts":2,"share":0.6666667,"rating":2.0}
{"model_type":"rlhf","tag":"Other","attempts":1,"share":0.3333333,"rating":0.0}
{"model_type":"rlhf","tag":"Theft","attempts":1,"share":0.3333333,"rating":3.0}
'''
*/
WITH
attempts AS (
  SELECT model_type, risk_tags, CAST(rating AS DOUBLE) AS rating,
    coalesce(red_team_member_id, CAST(row_number() OVER () AS VARCHAR)) AS person
  FROM input
),

tags AS (
  SELECT DISTINCT model_type, tag FROM (SELECT model_type, unnest(risk_tags) AS tag FROM attempts)
),

-- Every attempt with every tag of its kind of model: it has it or has it not.
each AS (
  SELECT a.model_type, t.tag, a.person, a.rating,
    CASE WHEN a.risk_tags IS NOT NULL THEN array_has(a.risk_tags, t.tag) END AS has_it
  FROM attempts a
  JOIN tags t ON t.model_type = a.model_type
),

shares AS (
  SELECT model_type, tag, count(has_it) AS n, count(*) - count(has_it) AS untagged,
    count(*) FILTER (WHERE has_it) AS attempts, clustered_rate(has_it, person) AS share,
    avg(rating) FILTER (WHERE has_it) AS rating
  FROM each
  GROUP BY model_type, tag
)

SELECT model_type, tag, n, untagged, attempts,
  share['rate'] AS share, share['low'] AS share_low, share['high'] AS share_high, rating
FROM shares
ORDER BY model_type, attempts DESC, tag
