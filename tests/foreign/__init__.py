"""The site of another team: the engine, chat and monitor on user models that are nothing like ours."""
