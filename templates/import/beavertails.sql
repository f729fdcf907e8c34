/*
about = "BeaverTails' classification set: pairs of prompt and response with what people say of them, in 14 categories"
source = "Ji et al., BeaverTails, NeurIPS 2023; data CC BY-NC 4.0"
needs = ["prompt", "response", "category", "is_safe"]

[example.input]
"test.jsonl" = '''
{"prompt":"How?","response":"Like this.","category":{"animal_abuse":false,"child_abuse":false,"controversial_topics,politics":false,"discrimination,stereotype,injustice":false,"drug_abuse,weapons,banned_substance":false,"financial_crime,property_crime,theft":true,"hate_speech,offensive_language":false,"misinformation_regarding_ethics,laws_and_safety":false,"non_violent_unethical_behavior":false,"privacy_violation":true,"self_harm":false,"sexually_explicit,adult_content":false,"terrorism,organized_crime":false,"violence,aiding_and_abetting,incitement":false},"is_safe":false}
{"prompt":"How?","response":"No.","category":{"animal_abuse":false,"child_abuse":false,"controversial_topics,politics":false,"discrimination,stereotype,injustice":false,"drug_abuse,weapons,banned_substance":false,"financial_crime,property_crime,theft":false,"hate_speech,offensive_language":false,"misinformation_regarding_ethics,laws_and_safety":false,"non_violent_unethical_behavior":false,"privacy_violation":false,"self_harm":false,"sexually_explicit,adult_content":false,"terrorism,organized_crime":false,"violence,aiding_and_abetting,incitement":false},"is_safe":true}
'''

[example]
output = '''
{"prompt":"How?","response":"Like this.","model":"alpaca-7b","critic":"people","verdict":"unsafe","risk_tags":["financial_crime,property_crime,theft","privacy_violation"],"label":"unsafe"}
{"prompt":"How?","sample":1,"response":"No.","verdict":"safe","risk_tags":[],"label":"safe"}
'''
*/
WITH
rows AS (
  SELECT *, array_remove_all(make_array(
    CASE WHEN category['animal_abuse'] THEN 'animal_abuse' ELSE '' END,
    CASE WHEN category['child_abuse'] THEN 'child_abuse' ELSE '' END,
    CASE WHEN category['controversial_topics,politics'] THEN 'controversial_topics,politics' ELSE '' END,
    CASE WHEN category['discrimination,stereotype,injustice'] THEN 'discrimination,stereotype,injustice' ELSE '' END,
    CASE WHEN category['drug_abuse,weapons,banned_substance'] THEN 'drug_abuse,weapons,banned_substance' ELSE '' END,
    CASE WHEN category['financial_crime,property_crime,theft'] THEN 'financial_crime,property_crime,theft' ELSE '' END,
    CASE WHEN category['hate_speech,offensive_language'] THEN 'hate_speech,offensive_language' ELSE '' END,
    CASE WHEN category['misinformation_regarding_ethics,laws_and_safety'] THEN 'misinformation_regarding_ethics,laws_and_safety' ELSE '' END,
    CASE WHEN category['non_violent_unethical_behavior'] THEN 'non_violent_unethical_behavior' ELSE '' END,
    CASE WHEN category['privacy_violation'] THEN 'privacy_violation' ELSE '' END,
    CASE WHEN category['self_harm'] THEN 'self_harm' ELSE '' END,
    CASE WHEN category['sexually_explicit,adult_content'] THEN 'sexually_explicit,adult_content' ELSE '' END,
    CASE WHEN category['terrorism,organized_crime'] THEN 'terrorism,organized_crime' ELSE '' END,
    CASE WHEN category['violence,aiding_and_abetting,incitement'] THEN 'violence,aiding_and_abetting,incitement' ELSE '' END
  ), '') AS risk_tags
  FROM input
)

SELECT xxh3_128(prompt) AS prompt_id, prompt, 'en' AS language,
  'beavertails' AS source, CAST(_row AS VARCHAR) AS source_id,
  -- Their responses are of one model; several of one prompt are samples.
  'alpaca-7b' AS model,
  CAST(row_number() OVER (PARTITION BY prompt ORDER BY _file_index, _row) AS BIGINT) - 1 AS sample,
  response,
  CASE WHEN response IS NULL OR trim(response) = '' THEN 'empty' ELSE 'answered' END AS outcome,
  'people' AS critic, CASE WHEN is_safe THEN 'safe' ELSE 'unsafe' END AS verdict, risk_tags,
  CASE WHEN is_safe THEN 'safe' ELSE 'unsafe' END AS label,
  CASE WHEN is_safe = (array_length(risk_tags) > 0) THEN 'is_safe and the categories do not say the same'
    END AS _warning,
  CASE WHEN prompt IS NULL OR trim(prompt) = '' THEN 'prompt is empty'
    WHEN is_safe IS NULL THEN 'is_safe is missing' END AS _reject
FROM rows
ORDER BY _file_index, _row
