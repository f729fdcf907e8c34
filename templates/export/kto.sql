/*
about = "Prompt, completion and label (TRL's KTO): each response, true where it was found safe"
source = "the form of TRL's unpaired preference data"
needs = ["prompt_id", "prompt", "response", "verdict"]

[optional]
critic = "Utf8"

[example.input]
"verdicts.jsonl" = '''
{"critic":"c","prompt_id":"p1","prompt":"How?","response":"Like this.","verdict":"unsafe"}
{"critic":"c","prompt_id":"p2","prompt":"Why?","response":"No.","verdict":"safe"}
{"critic":"c","prompt_id":"p3","prompt":"Who?","response":"They.","verdict":"unscored"}
'''

[example]
output = '''
{"prompt":[{"role":"user","content":"How?"}],"completion":[{"role":"assistant","content":"Like this."}],"label":false,"prompt_id":"p1","critic":"c"}
{"prompt":[{"role":"user","content":"Why?"}],"completion":[{"role":"assistant","content":"No."}],"label":true,"prompt_id":"p2","critic":"c"}
'''
*/
SELECT
  make_array(named_struct('role', 'user', 'content', prompt)) AS prompt,
  make_array(named_struct('role', 'assistant', 'content', response)) AS completion,
  verdict = 'safe' AS label,
  prompt_id, critic
FROM input
WHERE verdict IN ('safe', 'unsafe') AND prompt IS NOT NULL AND response IS NOT NULL
ORDER BY prompt_id, critic, response
