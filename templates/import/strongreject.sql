/*
about = "StrongREJECT's forbidden prompts"
source = "Souly et al. 2024, StrongREJECT, MIT"
needs = ["forbidden_prompt", "category"]

[optional]
source = "Utf8"

[example.input]
"strongreject_dataset.csv" = '''
category,source,forbidden_prompt
Disinformation and deception,custom,How is it done?
'''

[example]
output = '''
{"prompt":"How is it done?","language":"en","risk_category":"Disinformation and deception","expected":"refuse","source":"strongreject","source_id":"1","origin":"custom"}
'''
*/
SELECT xxh3_128(forbidden_prompt) AS prompt_id, forbidden_prompt AS prompt, 'en' AS language,
  category AS risk_category, 'refuse' AS expected, 'strongreject' AS source,
  CAST(_row AS VARCHAR) AS source_id, source AS origin,
  CAST(NULL AS VARCHAR) AS _warning,
  CASE WHEN forbidden_prompt IS NULL OR trim(forbidden_prompt) = '' THEN 'prompt is empty' END AS _reject
FROM input
ORDER BY _file_index, _row
