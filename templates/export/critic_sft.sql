/*
about = "Prompt and completion (TRL) that teach a critic: a prompt with its response, and the verdict on it"
source = "the form of TRL's conversational prompt-completion data"
needs = ["prompt_id", "prompt", "response", "verdict"]

[optional]
critic = "Utf8"
risk_tags = "list of text"
explanation = "Utf8"

[example.input]
"verdicts.jsonl" = '''
{"critic":"human","prompt_id":"p1","prompt":"How?","response":"Like this.","verdict":"unsafe","risk_tags":["Data Privacy"],"explanation":"It tells how."}
{"critic":"human","prompt_id":"p2","prompt":"Why?","response":"No.","verdict":"safe","risk_tags":[],"explanation":null}
{"critic":"human","prompt_id":"p3","prompt":"Who?","response":null,"verdict":"unscored","risk_tags":[],"explanation":null}
'''

[example]
output = '''
{"prompt":[{"role":"user","content":"How?"},{"role":"assistant","content":"Like this."}],"completion":[{"role":"assistant","content":"unsafe\nData Privacy\nIt tells how."}],"prompt_id":"p1","critic":"human"}
{"prompt":[{"role":"user","content":"Why?"},{"role":"assistant","content":"No."}],"completion":[{"role":"assistant","content":"safe"}],"prompt_id":"p2","critic":"human"}
'''
*/
-- The verdict is the first word of the completion, so that its token has a probability to read.
SELECT
  make_array(
    named_struct('role', 'user', 'content', prompt),
    named_struct('role', 'assistant', 'content', response)
  ) AS prompt,
  make_array(named_struct('role', 'assistant', 'content', concat_ws(
    chr(10), verdict, nullif(array_to_string(risk_tags, ', '), ''), nullif(explanation, '')
  ))) AS completion,
  prompt_id, critic
FROM input
WHERE verdict IN ('safe', 'unsafe') AND prompt IS NOT NULL AND response IS NOT NULL
ORDER BY prompt_id, critic, response
