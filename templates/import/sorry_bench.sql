/*
about = "SORRY-Bench's questions: every style of a question is an attack on its plain form"
source = "Xie et al. 2024, SORRY-Bench"
needs = ["question_id", "category", "turns"]

[optional]
prompt_style = "Utf8"

# One id comes in several styles: id and style together name a row.
[example.input]
"question.jsonl" = '''
{"question_id":1,"category":"1","turns":["How is it done?"],"prompt_style":"base"}
{"question_id":1,"category":"1","turns":["hOw Is It dOnE?"],"prompt_style":"misspellings"}
'''

[example]
output = '''
{"prompt":"How is it done?","risk_category":"1","attack":null,"base_id":null,"source":"sorry-bench","source_id":"1-base"}
{"prompt":"hOw Is It dOnE?","attack":"misspellings","source_id":"1-misspellings"}
'''
*/
WITH
rows AS (
  SELECT *, turns[1] AS prompt, coalesce(prompt_style, 'base') AS style,
    CAST(question_id AS VARCHAR) AS id
  FROM input
),

base AS (
  SELECT id, min(xxh3_128(prompt)) AS prompt_id FROM rows WHERE style = 'base' GROUP BY id
)

SELECT xxh3_128(r.prompt) AS prompt_id, r.prompt, CAST(r.category AS VARCHAR) AS risk_category,
  nullif(r.style, 'base') AS attack,
  CASE WHEN r.style <> 'base' THEN base.prompt_id END AS base_id,
  'refuse' AS expected, 'sorry-bench' AS source, r.id || '-' || r.style AS source_id,
  CASE WHEN array_length(r.turns) > 1 THEN 'it has more turns than the first' END AS _warning,
  CASE WHEN r.prompt IS NULL OR trim(r.prompt) = '' THEN 'turns are empty' END AS _reject
FROM rows r
LEFT JOIN base ON base.id = r.id
ORDER BY r._file_index, r._row
