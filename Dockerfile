# The images, a target for each service: gateway, registry, worker, and worker-cuda for NVIDIA GPUs.
#
#   docker compose build                     # what compose.yaml needs
#   docker build --target gateway -t corral/gateway .
#
# Each has only its own service's code and libraries, at the versions and hashes of locks/image-*.lock, and runs as
# user 10001 without writing to its root. llama.cpp is compiled in a stage of its own, once: registry and worker share it.

ARG PYTHON_IMAGE=python:3.11-slim-bookworm
ARG CUDA_BUILD_IMAGE=nvidia/cuda:12.8.1-devel-ubuntu24.04
ARG CUDA_RUN_IMAGE=nvidia/cuda:12.8.1-runtime-ubuntu24.04

# --- llama.cpp -------------------------------------------------------------------------------------------------------

FROM ${PYTHON_IMAGE} AS llama
RUN apt-get update \
 && apt-get install -y --no-install-recommends g++ \
 && rm -rf /var/lib/apt/lists/*
WORKDIR /build
COPY locks/llama-cpp.lock locks/build.lock locks/
COPY tools/build_wheel.py tools/progress.py tools/
# Where the image will run is not known here: a build of the kernels for each generation of processors comes along, and
# shared/llama_kernels.py chooses at the start.
ARG CMAKE_ARGS="-DGGML_NATIVE=OFF -DGGML_BACKEND_DL=ON -DGGML_CPU_ALL_VARIANTS=ON"
RUN --mount=type=cache,target=/root/.cache \
    python3 -m tools.build_wheel > /tmp/wheel && mkdir /wheels && cp "$(tail -n 1 /tmp/wheel)" /wheels/

FROM ${CUDA_BUILD_IMAGE} AS llama-cuda
RUN apt-get update \
 && apt-get install -y --no-install-recommends g++ python3 python3-venv \
 && rm -rf /var/lib/apt/lists/*
WORKDIR /build
COPY locks/llama-cpp.lock locks/build.lock locks/
COPY tools/build_wheel.py tools/progress.py tools/
# Machine code for the usual GPUs, and for others what the driver compiles at the first load; docs/gpu.md.
ARG CUDA_ARCHITECTURES="75-virtual;80-real;86-real;89-real;90;120a-real"
ARG CUDA_CMAKE_ARGS="-DGGML_NATIVE=OFF -DGGML_CUDA=on -DGGML_CUDA_NCCL=OFF"
RUN --mount=type=cache,target=/root/.cache \
    CMAKE_ARGS="${CUDA_CMAKE_ARGS} -DCMAKE_CUDA_ARCHITECTURES=${CUDA_ARCHITECTURES}" \
    python3 -m tools.build_wheel > /tmp/wheel && mkdir /wheels && cp "$(tail -n 1 /tmp/wheel)" /wheels/

# --- libraries: an environment for each service, in a folder that is copied whole ---------------------------------------

FROM ${PYTHON_IMAGE} AS libraries
RUN python3 -m venv --without-pip /opt/corral
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1

FROM libraries AS command-line
COPY locks/image-build.lock /locks/
RUN pip install --require-hashes --no-deps -r /locks/image-build.lock
COPY cli/pyproject.toml /cli/
COPY cli/corral/ /cli/corral/
RUN pip wheel --no-deps --no-build-isolation --wheel-dir /wheels /cli

FROM libraries AS gateway-libraries
COPY locks/image-gateway.lock /locks/
RUN pip --python /opt/corral/bin/python install --require-hashes --no-deps -r /locks/image-gateway.lock
# The command line comes along: `docker compose exec gateway corral ...` manages the cluster.
COPY --from=command-line /wheels /wheels
RUN pip --python /opt/corral/bin/python install --no-deps --no-index /wheels/*.whl

FROM libraries AS registry-libraries
COPY locks/image-registry.lock /locks/
RUN pip --python /opt/corral/bin/python install --require-hashes --no-deps -r /locks/image-registry.lock
COPY --from=llama /wheels /wheels
# The wheel has llama.cpp twice; the one in its package is loaded, with kernels of bin/.
RUN pip --python /opt/corral/bin/python install --no-deps --no-index /wheels/*.whl \
 && cd /opt/corral/lib/python3.11/site-packages && rm -rf include lib

FROM libraries AS worker-libraries
COPY locks/image-worker.lock /locks/
RUN pip --python /opt/corral/bin/python install --require-hashes --no-deps -r /locks/image-worker.lock
COPY --from=llama /wheels /wheels
RUN pip --python /opt/corral/bin/python install --no-deps --no-index /wheels/*.whl \
 && cd /opt/corral/lib/python3.11/site-packages && rm -rf include lib

# --- what every service is -------------------------------------------------------------------------------------------

FROM ${PYTHON_IMAGE} AS service
RUN useradd --system --uid 10001 --user-group --no-create-home --home-dir /nonexistent corral
ENV PATH=/opt/corral/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
WORKDIR /app
COPY services/__init__.py services/
COPY shared/ shared/

FROM service AS service-with-llama
RUN apt-get update \
 && apt-get install -y --no-install-recommends libgomp1 libstdc++6 \
 && rm -rf /var/lib/apt/lists/*

# --- gateway -----------------------------------------------------------------------------------------------------------

FROM service AS gateway
COPY --from=gateway-libraries /opt/corral /opt/corral
COPY services/gateway/ services/gateway/
RUN python -m compileall -q .
USER 10001:10001
ENV CORRAL_GATEWAY_HOST=0.0.0.0
EXPOSE 11434
HEALTHCHECK --interval=5s --timeout=3s --start-period=30s --retries=3 CMD ["python", "-m", "shared.probe", "http://127.0.0.1:11434/readyz"]
CMD ["python", "-m", "services.gateway"]

# --- registry ----------------------------------------------------------------------------------------------------------

FROM service-with-llama AS registry
COPY --from=registry-libraries /opt/corral /opt/corral
COPY services/registry/ services/registry/
RUN python -m compileall -q . \
 && install -d -o corral -g corral /var/lib/corral/models
USER 10001:10001
ENV CORRAL_REGISTRY_HOST=0.0.0.0 CORRAL_REGISTRY_MODELS_DIR=/var/lib/corral/models
EXPOSE 11435
VOLUME /var/lib/corral/models
HEALTHCHECK --interval=5s --timeout=3s --start-period=30s --retries=3 CMD ["python", "-m", "shared.probe", "http://127.0.0.1:11435/readyz"]
CMD ["python", "-m", "services.registry"]

# --- worker ------------------------------------------------------------------------------------------------------------

FROM service-with-llama AS worker
COPY --from=worker-libraries /opt/corral /opt/corral
COPY services/worker/ services/worker/
RUN python -m compileall -q . \
 && install -d -o corral -g corral /var/lib/corral/cache
USER 10001:10001
ENV CORRAL_WORKER_HOST=0.0.0.0 CORRAL_WORKER_CACHE_DIR=/var/lib/corral/cache
EXPOSE 11440
VOLUME /var/lib/corral/cache
HEALTHCHECK --interval=5s --timeout=3s --start-period=30s --retries=3 CMD ["python", "-m", "shared.probe", "http://127.0.0.1:11440/readyz"]
CMD ["python", "-m", "services.worker"]

# --- worker on NVIDIA's GPUs: the base with CUDA's libraries has a Python of its own ------------------------------------

FROM ${CUDA_RUN_IMAGE} AS cuda-python
RUN apt-get update \
 && apt-get install -y --no-install-recommends libgomp1 python3 python3-venv \
 && rm -rf /var/lib/apt/lists/*

FROM cuda-python AS worker-cuda-libraries
RUN python3 -m venv /opt/corral
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
COPY locks/image-worker.lock /locks/
RUN /opt/corral/bin/pip install --require-hashes --no-deps -r /locks/image-worker.lock
COPY --from=llama-cuda /wheels /wheels
RUN /opt/corral/bin/pip install --no-deps --no-index /wheels/*.whl \
 && cd /opt/corral/lib/python3*/site-packages && rm -rf include lib

FROM cuda-python AS worker-cuda
RUN useradd --system --uid 10001 --user-group --no-create-home --home-dir /nonexistent corral
ENV PATH=/opt/corral/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
WORKDIR /app
COPY --from=worker-cuda-libraries /opt/corral /opt/corral
COPY services/__init__.py services/
COPY shared/ shared/
COPY services/worker/ services/worker/
RUN python -m compileall -q . \
 && install -d -o corral -g corral /var/lib/corral/cache
USER 10001:10001
ENV CORRAL_WORKER_HOST=0.0.0.0 CORRAL_WORKER_CACHE_DIR=/var/lib/corral/cache
EXPOSE 11440
VOLUME /var/lib/corral/cache
HEALTHCHECK --interval=5s --timeout=3s --start-period=30s --retries=3 CMD ["python", "-m", "shared.probe", "http://127.0.0.1:11440/readyz"]
CMD ["python", "-m", "services.worker"]
