/*
about = "Red-Eval's question banks: HarmfulQA, CatQA (English, Chinese, Vietnamese), DangerousQA, AdversarialQA, as published"
source = "Bhardwaj and Poria 2023; Apache-2.0"
needs = ["_path", "_value"]

# A bank is topics of subtopics of questions, or a list of questions.
[example.input]
"catqa_chinese.json" = '''
{"Fraud": {"Invoices": ["发票怎么检查？", ""]}}
'''
"dangerousqa.json" = '''
["Who writes invoices?"]
'''
"catqa_english.json" = '''
{"Fraud": {"Invoices": ["How is an invoice checked?", "Who reads invoices?"]}}
'''

[example]
output = '''
{"prompt":"发票怎么检查？","language":"zh","risk_category":"Fraud","pair_id":"dc39226609435bc8d50297fc616d51a5","source":"catqa_chinese","source_id":"1"}
{"_reject":"question is empty"}
{"prompt":"How is an invoice checked?","pair_id":"dc39226609435bc8d50297fc616d51a5","language":"en","risk_category":"Fraud","risk_subcategory":"Invoices","expected":"refuse","source":"catqa_english","source_id":"1"}
{"prompt":"Who reads invoices?","source_id":"2"}
{"prompt":"Who writes invoices?","language":"en","risk_category":null,"pair_id":null,"source":"dangerousqa","source_id":"1"}
'''
*/
SELECT xxh3_128(_value) AS prompt_id, _value AS prompt,
  CASE WHEN _file LIKE '%chinese%' THEN 'zh' WHEN _file LIKE '%vietnamese%' THEN 'vi' ELSE 'en' END AS language,
  CASE WHEN array_length(_path) = 3 THEN _path[1] END AS risk_category,
  CASE WHEN array_length(_path) = 3 THEN _path[2] END AS risk_subcategory,
  -- CatQA's files have the same questions at the same places: even those that stand twice do so in each.
  CASE WHEN _file LIKE '%catqa%' THEN xxh3_128('catqa:' || array_to_string(_path, ':')) END AS pair_id,
  'refuse' AS expected,
  regexp_replace(_file, '^(.*/)?([^/.]*)[^/]*$', '\2') AS source, CAST(_row AS VARCHAR) AS source_id,
  CAST(NULL AS VARCHAR) AS _warning,
  CASE WHEN _value IS NULL OR trim(_value) = '' THEN 'question is empty' END AS _reject
FROM input
ORDER BY _file_index, _row
