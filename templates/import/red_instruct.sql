/*
about = "Red-Eval's question banks: HarmfulQA, CatQA (English, Chinese, Vietnamese), DangerousQA, AdversarialQA, as published"
source = "Bhardwaj and Poria 2023; Apache-2.0"
needs = ["_path", "_value"]

# A bank is topics of subtopics of questions, or a list of questions.
[example.input]
"catqa_english.json" = '''
{"Fraud": {"Invoices": ["How is an invoice checked?", "Who reads invoices?"]}}
'''

[example]
output = '''
{"prompt":"How is an invoice checked?","language":"en","risk_category":"Fraud","risk_subcategory":"Invoices","expected":"refuse","source":"catqa_english","source_id":"1"}
{"prompt":"Who reads invoices?","source_id":"2"}
'''
*/
SELECT xxh3_128(_value) AS prompt_id, _value AS prompt,
  CASE WHEN _file LIKE '%chinese%' THEN 'zh' WHEN _file LIKE '%vietnamese%' THEN 'vi' ELSE 'en' END AS language,
  CASE WHEN array_length(_path) = 3 THEN _path[1] END AS risk_category,
  CASE WHEN array_length(_path) = 3 THEN _path[2] END AS risk_subcategory,
  'refuse' AS expected,
  regexp_replace(_file, '^(.*/)?([^/.]*)[^/]*$', '\2') AS source, CAST(_row AS VARCHAR) AS source_id,
  CAST(NULL AS VARCHAR) AS _warning,
  CASE WHEN _value IS NULL OR trim(_value) = '' THEN 'question is empty' END AS _reject
FROM input
ORDER BY _file_index, _row
