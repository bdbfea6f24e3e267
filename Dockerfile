# The image of Kubernetes' CronJobs (clocks export kubernetes): small, without a shell's comforts, not root, the very run-task.
# Your own project: put its wheel into the second pip install, in place of this project's.
ARG PYTHON=3.13
FROM python:${PYTHON}-slim AS build
WORKDIR /src
COPY requirements/run.txt requirements/
RUN python -m venv /opt/app
RUN /opt/app/bin/pip install --no-cache-dir --disable-pip-version-check --require-hashes -r requirements/run.txt
COPY . .
RUN /opt/app/bin/pip install --no-cache-dir --disable-pip-version-check --no-deps .

FROM python:${PYTHON}-slim
COPY --from=build /opt/app /opt/app
ENV PATH=/opt/app/bin:$PATH PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1
USER 65532:65532
CMD ["run-task", "--help"]
