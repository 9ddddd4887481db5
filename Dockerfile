# One image: the service, its workers and every command. The database is a server of its own (compose.yaml).
FROM python:3.11-slim

ENV PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
WORKDIR /app

COPY requirements.txt .
RUN pip install --require-hashes -r requirements.txt

COPY pyproject.toml README.md LICENSE ./
COPY register register
COPY migrations migrations
COPY contracts contracts
RUN pip install --no-deps --no-build-isolation --editable .

# A user with a name: without one, the embedded server cannot be set up either.
RUN useradd --system --uid 10001 --create-home cvr && install -d -o cvr -g cvr -m 0700 /data
USER cvr
WORKDIR /home/cvr
ENV CVR_DATA=/data
VOLUME /data
EXPOSE 8000

ENTRYPOINT ["cvr"]
CMD ["serve", "--host", "0.0.0.0"]
