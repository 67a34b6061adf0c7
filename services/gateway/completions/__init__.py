"""Chat completions as OpenAI's clients speak them: what every voice that offers them shares."""
