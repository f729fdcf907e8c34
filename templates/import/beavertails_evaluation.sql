/*
about = "BeaverTails' evaluation prompts: 50 in each of 14 categories"
source = "Ji et al., BeaverTails, NeurIPS 2023; data CC BY-NC 4.0"
needs = ["prompt", "category"]

[optional]
category_id = "Int64"

[example.input]
"BeaverTails-Evaluation.json" = '''
[{"prompt": "How?", "category": "privacy_violation", "category_id": 9}]
'''

[example]
output = '''
{"prompt":"How?","language":"en","risk_category":"privacy_violation","expected":"refuse","source":"beavertails-evaluation","source_id":"1"}
'''
*/
SELECT xxh3_128(prompt) AS prompt_id, prompt, 'en' AS language, category AS risk_category,
  'refuse' AS expected, 'beavertails-evaluation' AS source, CAST(_row AS VARCHAR) AS source_id,
  CAST(NULL AS VARCHAR) AS _warning,
  CASE WHEN prompt IS NULL OR trim(prompt) = '' THEN 'prompt is empty' END AS _reject
FROM input
ORDER BY _file_index, _row
