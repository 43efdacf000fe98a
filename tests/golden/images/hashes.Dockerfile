FROM python:3.11-slim
USER 0
ARG PIP_BREAK_SYSTEM_PACKAGES=1
ARG PIP_ROOT_USER_ACTION=ignore
ARG PIP_NO_CACHE_DIR=1
RUN mkdir -p /app /home/runner && chmod 1777 /app /home/runner && { grep -q '^[^:]*:[^:]*:1000:' /etc/passwd || echo 'runner:x:1000:1000:runner:/home/runner:/bin/sh' >> /etc/passwd; }
COPY requirements.txt worker.txt /opt/runner/
RUN python -m pip install -r /opt/runner/requirements.txt
RUN python -m pip install -r /opt/runner/worker.txt
RUN python -m pip install --no-deps stack-runner==1.2.3
LABEL runner/parts="base=b84ee1f16906 env=44136fa355b3 apt=4f53cda18c2b requirements=c7eb8a966226 runner=e09091b81041" runner/requirements="[\"six==1.17.0\"]"
ENV HOME=/home/runner
WORKDIR /app
USER 1000:1000
