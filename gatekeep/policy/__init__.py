"""Policy: Cedar policies and what is known of a call, made into a decision.

Read `vocabulary` for what policies may speak about, `engine` for how they are asked,
`decision` for what they answer.
"""
