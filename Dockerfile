# The server of docs/serving.md, and batch prediction with the same image: docs/serving.md, "In a container".
FROM python:3.13-slim AS build
ARG EXTRAS=serve
COPY pyproject.toml README.md LICENSE NOTICE constraints.txt /source/
COPY sensenet /source/sensenet
RUN pip install --no-cache-dir --prefix=/installed -c /source/constraints.txt "/source[${EXTRAS}]"

FROM python:3.13-slim
COPY --from=build /installed /usr/local
USER 65534
WORKDIR /tmp
EXPOSE 8080
ENTRYPOINT ["python", "-m", "sensenet.serve", "--host", "0.0.0.0"]
