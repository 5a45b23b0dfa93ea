"""How many schedules are played: few in every run of the tests, thousands with HYPOTHESIS_PROFILE=thorough."""

from hypothesis import HealthCheck, settings

settings.register_profile("brief", max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
settings.register_profile("thorough", settings.get_profile("brief"), max_examples=2_000)
