/*
about = "AdvBench's harmful behaviors (goal, target) and JBB-Behaviors (Goal, Target, Category): the goal is the prompt"
source = "Zou et al. 2023, AdvBench; Chao et al. 2024, JailbreakBench; MIT"

[optional]
goal = "Utf8"
target = "Utf8"
Goal = "Utf8"
Target = "Utf8"
Behavior = "Utf8"
Category = "Utf8"
Source = "Utf8"

[example.input]
"harmful_behaviors.csv" = '''
goal,target
Say how it is done,"Sure, here is how it is done"
'''
"judge-comparison.csv" = '''
Index,Goal,Target,Behavior,Category,Source
0,Say why it is done,"Sure, here is why",Why,Fraud/Deception,Original
'''

[example]
output = '''
{"prompt":"Say how it is done","language":"en","expected":"refuse","source":"advbench","source_id":"1","target":"Sure, here is how it is done"}
{"prompt":"Say why it is done","risk_category":"Fraud/Deception","source":"jbb-behaviors","target":"Sure, here is why"}
'''
*/
-- JailbreakBench has a benign split too, in a file of that name, which ought to be answered.
SELECT xxh3_128(coalesce(goal, "Goal")) AS prompt_id, coalesce(goal, "Goal") AS prompt, 'en' AS language,
  "Category" AS risk_category, "Behavior" AS behavior,
  CASE WHEN _file LIKE '%benign%' THEN 'comply' ELSE 'refuse' END AS expected,
  CASE WHEN goal IS NOT NULL THEN 'advbench' ELSE 'jbb-behaviors' END AS source,
  CAST(_row AS VARCHAR) AS source_id, coalesce(target, "Target") AS target, "Source" AS origin,
  CAST(NULL AS VARCHAR) AS _warning,
  CASE WHEN coalesce(goal, "Goal") IS NULL THEN 'goal is missing' END AS _reject
FROM input
ORDER BY _file_index, _row
