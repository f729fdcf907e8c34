/*
about = "The responses behind verdicts, each once and without its verdicts, to be judged anew; of conversations the last turn"
source = "ours"
needs = ["prompt_id", "prompt", "model", "response", "outcome"]

[optional]
sample = "Int64"
language = "Utf8"
attack = "Utf8"
base_id = "Utf8"
pair_id = "Utf8"
risk_dimension = "Utf8"
risk_category = "Utf8"
expected = "Utf8"
source = "Utf8"
source_id = "Utf8"
label = "Utf8"

[example.input]
"verdicts.jsonl" = '''
{"critic":"c","prompt_id":"p","prompt":"How?","model":"m","sample":0,"response":"No.","outcome":"answered","source_id":"7","verdict":"safe"}
{"critic":"d","prompt_id":"p","prompt":"How?","model":"m","sample":0,"response":"No.","outcome":"answered","source_id":"7","verdict":"unsafe"}
{"critic":"c","prompt_id":"p","prompt":"How?","model":"n","sample":0,"response":null,"outcome":"failed","source_id":"7","verdict":"unscored"}
'''

[example]
output = '''
{"prompt_id":"p","prompt":"How?","model":"m","sample":0,"response":"No.","outcome":"answered","source_id":"7"}
{"model":"n","response":null,"outcome":"failed"}
'''
*/
SELECT DISTINCT prompt_id, prompt, language, risk_dimension, risk_category, attack, base_id, pair_id, expected,
  source, source_id, model, sample, response, outcome, label
FROM input
ORDER BY source, source_id, prompt_id, attack, model, sample, response
