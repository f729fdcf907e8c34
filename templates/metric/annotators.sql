/*
about = "How far two annotators agree, by model and by group: the share, Cohen's, Fleiss' kappa and Krippendorff's alpha"
source = "Cohen 1960, Fleiss 1971, Krippendorff 2004"
needs = ["annotation_1", "annotation_2"]

[optional]
model = "Utf8"
critic = "Utf8"
risk_category = "Utf8"

[example.input]
"rows.jsonl" = '''
{"model":"m","risk_category":"a","annotation_1":"yes","annotation_2":"yes"}
{"model":"m","risk_category":"a","annotation_1":"no","annotation_2":"no"}
{"model":"m","risk_category":"b","annotation_1":"yes","annotation_2":"no"}
{"model":"m","risk_category":"b","annotation_1":"no","annotation_2":"no"}
'''

# Fleiss: 3 of 4 agree; yes is 3 of 8, no 5 of 8, so 34/64 agree by chance.
[example]
output = '''
{"model":"m","risk_category":"all","n":4,"agreed":0.75,"cohen_kappa":0.5,"fleiss_kappa":0.4666667,"krippendorff_alpha":0.5333333}
{"model":"m","risk_category":"a","n":2,"agreed":1.0,"cohen_kappa":1.0}
{"model":"m","risk_category":"b","n":2,"agreed":0.5,"cohen_kappa":0.0}
'''
*/
WITH
-- Every critic's rows repeat the annotations: those of one critic of a model are all of them.
items AS (
  SELECT model, risk_category, annotation_1 AS a, annotation_2 AS b,
    CAST(row_number() OVER (ORDER BY model, risk_category) AS VARCHAR) AS unit
  FROM (SELECT *, min(critic) OVER (PARTITION BY model) AS first_critic FROM input)
  WHERE (critic IS NOT DISTINCT FROM first_critic)
    AND annotation_1 IS NOT NULL AND annotation_2 IS NOT NULL
),

levels AS (
  SELECT *, CASE WHEN by_group THEN risk_category ELSE 'all' END AS level
  FROM (SELECT *, unnest([true, false]) AS by_group FROM items)
),

pairs AS (
  SELECT model, level, count(*) AS n,
    1.0 * count(*) FILTER (WHERE a = b) / count(*) AS agreed, cohen_kappa(a, b) AS cohen_kappa
  FROM levels
  WHERE level IS NOT NULL
  GROUP BY model, level
),

-- Two rows a unit, one for each annotation.
ratings AS (
  SELECT model, level, fleiss_kappa(unit, label) AS fleiss_kappa,
    krippendorff_alpha(unit, label) AS krippendorff_alpha
  FROM (SELECT model, level, unit, unnest([a, b]) AS label FROM levels WHERE level IS NOT NULL)
  GROUP BY model, level
)

SELECT p.model, p.level AS risk_category, p.n, p.agreed,
  wilson_low(p.agreed * p.n, p.n) AS agreed_low, wilson_high(p.agreed * p.n, p.n) AS agreed_high,
  p.cohen_kappa, r.fleiss_kappa, r.krippendorff_alpha
FROM pairs p
JOIN ratings r ON (r.model IS NOT DISTINCT FROM p.model) AND r.level = p.level
ORDER BY p.model, p.level <> 'all', p.level
