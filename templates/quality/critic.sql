/*
about = "Keeps prompts by a column that a critic or a classifier gave them; the shortest rules, to copy from"
source = "seval"
needs = ["prompt", "risk_score"]

[example.input]
"scored.jsonl" = '''
{"prompt":"How does someone forge a signature?","risk_score":0.75}
{"prompt":"How is bread baked?","risk_score":0.25}
{"prompt":"Who spreads rumours?","risk_score":null}
'''

[example]
output = '''
{"prompt":"How does someone forge a signature?","_reject":null}
{"prompt":"How is bread baked?","_reject":"risk score below 0.5"}
{"prompt":"Who spreads rumours?","_reject":"no risk score"}
'''
*/
SELECT *,
  CASE
    WHEN risk_score IS NULL THEN 'no risk score'
    WHEN risk_score < 0.5 THEN 'risk score below 0.5'
  END AS _reject
FROM input
