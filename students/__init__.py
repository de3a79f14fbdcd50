"""The register: schools, classes, pupils, enrolment by term, bank accounts, hardship circumstances."""
