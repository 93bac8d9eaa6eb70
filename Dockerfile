# The page, the API and the command in one image. For NVIDIA GPUs:
#   docker build -t enhance .
# For CPUs only, smaller; URL is that of PyTorch's CPU builds, which its installation page names:
#   docker build -t enhance --build-arg TORCH_INDEX=URL .
ARG PYTHON=3.11-slim-bookworm

# The pins of torch alone, so that its layer, the largest one, outlives changes of the others.
FROM python:${PYTHON} AS pins
WORKDIR /pins
COPY requirements.txt .
RUN grep -oE '^torch(vision)?==[.0-9]+' requirements.txt > torch.txt

FROM python:${PYTHON}
# OpenCV needs both.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --no-install-recommends -y libgl1 libglib2.0-0 \
    && rm -rf /var/lib/apt/lists/*

ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore
WORKDIR /app

# Empty: what pip finds by itself, on Linux the build for CUDA.
ARG TORCH_INDEX=
COPY --from=pins /pins/torch.txt /tmp/torch.txt
RUN pip install ${TORCH_INDEX:+--index-url "$TORCH_INDEX"} -r /tmp/torch.txt

COPY requirements.txt constraints.txt ./
COPY scripts/install.py scripts/
COPY scripts/build_basicsr scripts/build_basicsr
RUN PIP_CONSTRAINT=constraints.txt python scripts/install.py

RUN useradd --no-log-init --uid 1000 --create-home enhance \
    && install -d -o enhance -g enhance -m 700 /data /data/weights /data/files
COPY LICENSE app.py ./
COPY assets assets
COPY enhance enhance

# Weights that were downloaded, uploads and results: nothing else is written, but for /tmp.
ENV ENHANCE_WEIGHTS_DIR=/data/weights \
    MPLCONFIGDIR=/tmp/matplotlib \
    GRADIO_TEMP_DIR=/data/files \
    GRADIO_SERVER_NAME=0.0.0.0 \
    GRADIO_SERVER_PORT=7860
VOLUME ["/data/weights", "/data/files"]
EXPOSE 7860
USER 1000

# Whether it lives, not whether the models are loaded: photos wait for them.
HEALTHCHECK --interval=30s --timeout=10s --start-period=60s CMD ["python", "-c", "import http.client, os; server = http.client.HTTPConnection('127.0.0.1', int(os.environ['GRADIO_SERVER_PORT']), timeout=5); server.request('GET', '/health'); raise SystemExit(server.getresponse().status != 200)"]

# Not through a shell, so that SIGTERM reaches Python.
CMD ["python", "app.py"]
