FROM registry.example.com/python@sha256:00
USER 0
ARG PIP_BREAK_SYSTEM_PACKAGES=1
ARG PIP_ROOT_USER_ACTION=ignore
ARG PIP_NO_CACHE_DIR=1
RUN mkdir -p /app /home/runner && chmod 1777 /app /home/runner && { grep -q '^[^:]*:[^:]*:1000:' /etc/passwd || echo 'runner:x:1000:1000:runner:/home/runner:/bin/sh' >> /etc/passwd; }
ENV PIP_INDEX_URL="https://example.com/simple"
ENV QUOTED="a \"b\" \$c \\d"
RUN apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends git libgomp1 && rm -rf /var/lib/apt/lists/*
COPY requirements.txt worker.txt /opt/runner/
RUN python -m pip install -r /opt/runner/requirements.txt -r /opt/runner/worker.txt
RUN python -m pip install --no-deps stack-runner==1.2.3
LABEL runner/parts="base=5806e1055f0e env=683db8df8138 apt=b0f0f91cc211 requirements=1ebd0187b97f runner=e09091b81041" runner/requirements="[\"numpy>=1\", \"six\"]"
ENV HOME=/home/runner
WORKDIR /app
USER 1000:1000
