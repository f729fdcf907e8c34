/*
about = "SafetyBench's form of submission: a JSON object, as text, with the number of the option chosen for each question; what was not understood is left out, which counts as wrong"
source = "SafetyBench (Zhang et al., ACL 2024): id to option, A is 0. For each model, critic and number of shots a row"
needs = ["model", "source_id", "choice"]

[optional]
critic = "Utf8"
shots = "Int64"

[example.input]
"verdicts.jsonl" = '''
{"critic":"safetybench","model":"m","shots":0,"source_id":"7","choice":"B"}
{"critic":"safetybench","model":"m","shots":0,"source_id":"10","choice":"A"}
{"critic":"safetybench","model":"m","shots":0,"source_id":"9","choice":null}
'''

[example]
output = '''
{"model":"m","critic":"safetybench","shots":0,"questions":3,"missing":1,"submission":"{\"10\": 0, \"7\": 1}"}
'''
*/
SELECT model, critic, shots, count(*) AS questions, count(*) - count(choice) AS missing,
  '{' || coalesce(string_agg(
      '"' || regexp_replace(source_id, '["\\]', '', 'g') || '": ' || CAST(ascii(choice) - 65 AS VARCHAR), ', '
      ORDER BY source_id
    ) FILTER (WHERE choice IS NOT NULL), '') || '}' AS submission
FROM input
GROUP BY model, critic, shots
ORDER BY model, critic, shots
