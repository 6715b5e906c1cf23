"""A folder of Modelfiles made true: find them (`discovery`), say what there is to do (`planning`), do it (`carrying`).

What was applied is written into the model's manifest as an annotation (`record`), so that the next time can be compared
with it exactly, whoever changed the folder, the base or the model in between.
"""
