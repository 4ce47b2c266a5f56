"""Onboarding jobs for several workers (procrastinate over PostgreSQL), and the outbox of encrypted requests."""

from kfq_async.onboarding.jobs.worker import OnboardingJobs

__all__ = ["OnboardingJobs"]
