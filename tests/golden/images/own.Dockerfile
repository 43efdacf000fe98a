FROM runner-own:abababababababababab
USER 0
ARG PIP_BREAK_SYSTEM_PACKAGES=1
ARG PIP_ROOT_USER_ACTION=ignore
ARG PIP_NO_CACHE_DIR=1
RUN mkdir -p /app /home/runner && chmod 1777 /app /home/runner && { grep -q '^[^:]*:[^:]*:1000:' /etc/passwd || echo 'runner:x:1000:1000:runner:/home/runner:/bin/sh' >> /etc/passwd; }
COPY requirements.txt worker.txt /opt/runner/
RUN python -m pip install -r /opt/runner/requirements.txt -r /opt/runner/worker.txt
RUN python -m pip install --no-deps stack-runner==1.2.3
LABEL runner/parts="base=057579432fab env=44136fa355b3 apt=4f53cda18c2b requirements=0aa3a2f20901 runner=e09091b81041 dockerfile=5c58c48d1f2b context=12ae32cb1ec0" runner/requirements="[\"six\"]"
ENV HOME=/home/runner
WORKDIR /app
USER 1000:1000
COPY --chown=1000:1000 code/ /app/
