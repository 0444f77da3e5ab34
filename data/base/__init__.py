"""data.base: what every feature stands on: settings, errors, database, access, audit, secrets, jobs."""
