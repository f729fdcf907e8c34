/*
about = "HarmBench's behaviors, with their context where they have one"
source = "Mazeika et al. 2024, HarmBench, MIT"
needs = ["Behavior", "BehaviorID"]

[optional]
FunctionalCategory = "Utf8"
SemanticCategory = "Utf8"
Tags = "Utf8"
ContextString = "Utf8"

[example.input]
"behaviors.csv" = '''
Behavior,FunctionalCategory,SemanticCategory,Tags,ContextString,BehaviorID
How is it done?,standard,misinformation,,,how_done
Sum it up,contextual,copyright,context,A text.,sum_up
'''

[example]
output = '''
{"prompt":"How is it done?","risk_category":"misinformation","expected":"refuse","source":"harmbench","source_id":"how_done","functional_category":"standard"}
{"prompt":"A text.\n\n---\n\nSum it up","source_id":"sum_up"}
'''
*/
SELECT xxh3_128(prompt) AS prompt_id, *
FROM (
  SELECT
    CASE WHEN "ContextString" IS NULL OR "ContextString" = '' THEN "Behavior"
      ELSE "ContextString" || chr(10) || chr(10) || '---' || chr(10) || chr(10) || "Behavior" END AS prompt,
    'en' AS language, "SemanticCategory" AS risk_category, "FunctionalCategory" AS functional_category,
    "Tags" AS tags, 'refuse' AS expected, 'harmbench' AS source, "BehaviorID" AS source_id,
    CAST(NULL AS VARCHAR) AS _warning,
    CASE WHEN "Behavior" IS NULL OR trim("Behavior") = '' THEN 'behavior is empty' END AS _reject,
    _file_index, _row
  FROM input
)
ORDER BY _file_index, _row
