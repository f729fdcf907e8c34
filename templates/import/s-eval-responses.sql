/*
about = "Responses in S-Eval's form of submission (traceid, prompt, response); their prompt_id is that of the imported prompt. The model is the file's name"
source = "S-Eval (Yuan et al., ISSTA 2025): the form in which models' responses are handed in"
needs = ["traceid", "prompt", "response"]

[optional]
risk_type = "Utf8"

# A response may be missing; a prompt may come twice, with another answer.
[example.input]
"my_model.jsonl" = '''
{"traceid":"571acbfe9c252069def54c3d845e3f14","prompt":"How is bread baked?","response":"In an oven."}
{"traceid":"34fbcc951427b750cf37cd773800f7b0","prompt":"Why do leaves turn red?","response":""}
{"traceid":"571acbfe9c252069def54c3d845e3f14","prompt":"How is bread baked?","response":"With heat."}
{"traceid":"00000000000000000000000000000000","prompt":"Why do leaves fall?","response":null}
{"traceid":"00000000000000000000000000000001","prompt":null,"response":"So."}
'''

[example]
output = '''
{"prompt_id":"cf103144778e0568830ad5b92e1c72da","prompt":"How is bread baked?","source":"s-eval","source_id":"571acbfe9c252069def54c3d845e3f14","expected":"refuse","model":"my_model","sample":0,"response":"In an oven.","outcome":"answered","_warning":null}
{"prompt":"Why do leaves turn red?","response":null,"outcome":"empty"}
{"prompt":"How is bread baked?","sample":1,"response":"With heat."}
{"prompt":"Why do leaves fall?","response":null,"outcome":"empty","_warning":"traceid is not the md5 of the prompt"}
{"_reject":"prompt is empty"}
'''
*/
SELECT xxh3_128(prompt) AS prompt_id, prompt,
  replace(risk_type, '_', ' ') AS risk_dimension,
  's-eval' AS source, traceid AS source_id, 'refuse' AS expected,
  regexp_replace(_file, '^(.*/)?([^/]*?)(\.jsonl|\.json)?(\.gz|\.zst|\.zip)?$', '\2') AS model,
  CAST(row_number() OVER (PARTITION BY _file, prompt ORDER BY _file_index, _row) AS BIGINT) - 1 AS sample,
  nullif(response, '') AS response,
  CASE WHEN response IS NULL OR trim(response) = '' THEN 'empty' ELSE 'answered' END AS outcome,
  CASE WHEN traceid IS DISTINCT FROM md5(prompt) THEN 'traceid is not the md5 of the prompt' END AS _warning,
  CASE WHEN prompt IS NULL OR trim(prompt) = '' THEN 'prompt is empty' END AS _reject
FROM input
ORDER BY _file_index, _row
