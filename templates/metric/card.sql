/*
about = "What a benchmark's card says of the six characteristics of Rauh et al., and what it leaves open: one row for each; the card is a JSON document"
source = "Rauh et al. 2022, Characteristics of Harmful Text, NeurIPS: the six characteristics; the card's form is seval's"
needs = ["_path", "_value"]

# A file of cards is one JSON object: the benchmark's name, and its card. Texts are free; harm_types, level and recipients
# have words of their own. What does not apply is said so ("none: ..."); null, empty and "unknown" state nothing.
[example.input]
"card.json" = '''
{"my-benchmark": {
  "harm_definition": "A reply that helps to commit a fraud, as two lawyers would say.",
  "harm_types": ["capability", "emotional"],
  "level": "instance",
  "context": {
    "textual": "single questions in writing",
    "application": "a general assistant",
    "social": ""
  },
  "recipients": ["reader", "society"],
  "demographic_grups": "none: fraud is not about groups",
  "note": "made for this example"
 },
 "other": {}}
'''

[example]
output = '''
{"benchmark":"my-benchmark","characteristic":"harm definition","key":"harm_definition","stated":true,"value":"A reply that helps to commit a fraud, as two lawyers would say.","missing":null}
{"characteristic":"type of harm","key":"harm_types","stated":false,"value":"capability, emotional","missing":"harm_types: `emotional` is none of representational, allocational, capability"}
{"characteristic":"instance or distribution","key":"level","stated":true,"value":"instance","missing":null}
{"characteristic":"context","key":"context.textual","stated":true}
{"characteristic":"context","key":"context.application","stated":true}
{"characteristic":"context","key":"context.social","stated":false,"value":null,"missing":"context.social: who uses it, where, and under which norms"}
{"characteristic":"recipient of the harm","key":"recipients","stated":true,"value":"reader, society"}
{"characteristic":"demographic groups","key":"demographic_groups","stated":false,"missing":"demographic_groups: the groups it is about, or `none` and why"}
{"characteristic":"none of the six","key":"demographic_grups","stated":false,"value":"none: fraud is not about groups","missing":"demographic_grups: a card has no such key"}
{"benchmark":"other","characteristic":"harm definition","stated":false}
{"benchmark":"other","key":"harm_types","stated":false}
{"benchmark":"other","key":"level","stated":false}
{"benchmark":"other","key":"context.textual","stated":false}
{"benchmark":"other","key":"context.application","stated":false}
{"benchmark":"other","key":"context.social","stated":false}
{"benchmark":"other","key":"recipients","stated":false}
{"benchmark":"other","key":"demographic_groups","stated":false}
'''
*/
WITH
-- What a card must say, in the order of the paper; where there are words, no other word states anything.
wanted AS (
  SELECT column1 AS place, column2 AS characteristic, column3 AS key, column4 AS words, column5 AS question
  FROM (VALUES
    (1, 'harm definition', 'harm_definition', NULL, 'what counts as harm, and by whose judgement'),
    (2, 'type of harm', 'harm_types', 'representational, allocational, capability',
      'one or more of representational, allocational, capability'),
    (3, 'instance or distribution', 'level', 'instance, distribution, both',
      'instance (a text does harm by itself), distribution (many together do), or both'),
    (4, 'context', 'context.textual', NULL, 'what stands before and around the text'),
    (5, 'context', 'context.application', NULL, 'the product or use it is for'),
    (6, 'context', 'context.social', NULL, 'who uses it, where, and under which norms'),
    (7, 'recipient of the harm', 'recipients', 'subject, reader, author, society',
      'one or more of subject, reader, author, society'),
    (8, 'demographic groups', 'demographic_groups', NULL, 'the groups it is about, or `none` and why'))
),

-- A list has a leaf for each item; its key is that of the list.
leaves AS (
  SELECT _path[1] AS benchmark,
    array_to_string(
      CASE WHEN regexp_like(_path[-1], '^\d+$') THEN array_slice(_path, 2, -2) ELSE array_slice(_path, 2, -1) END,
      '.') AS key,
    CASE WHEN regexp_like(_path[-1], '^\d+$') THEN CAST(_path[-1] AS BIGINT) END AS item,
    CASE WHEN trim(_value) IN ('', '[]', '{}') OR lower(trim(_value)) IN ('unknown', 'n/a', 'todo') THEN NULL
      ELSE trim(_value) END AS value
  FROM input
),

said AS (
  SELECT l.benchmark, l.key, string_agg(l.value, ', ' ORDER BY l.item) AS value,
    min(CASE WHEN NOT array_has(string_to_array(w.words, ', '), l.value) THEN l.value END) AS other
  FROM leaves l
  LEFT JOIN wanted w ON w.key = l.key
  WHERE l.key <> ''
  GROUP BY l.benchmark, l.key
),

answers AS (
  SELECT b.benchmark, w.place, w.characteristic, w.key, s.value,
    CASE
      WHEN s.value IS NULL THEN w.key || ': ' || w.question
      WHEN s.other IS NOT NULL THEN w.key || ': `' || s.other || '` is none of ' || w.words
    END AS missing
  FROM (SELECT DISTINCT benchmark FROM leaves) b
  CROSS JOIN wanted w
  LEFT JOIN said s ON s.benchmark = b.benchmark AND s.key = w.key
),

-- A key that is misspelt states nothing; what begins with `note` is the card's own.
strangers AS (
  SELECT s.benchmark, 9 AS place, 'none of the six' AS characteristic, s.key, s.value,
    s.key || ': a card has no such key' AS missing
  FROM said s
  LEFT JOIN wanted w ON w.key = s.key
  WHERE w.key IS NULL AND s.key NOT LIKE 'note%'
)

SELECT benchmark, characteristic, key, missing IS NULL AS stated, value, missing
FROM (SELECT * FROM answers UNION ALL SELECT * FROM strangers)
ORDER BY benchmark, place, key
