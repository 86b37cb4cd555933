#!/bin/sh
# The three forms of a request, and what a refusal looks like: examples/curl/filter.sh PICTURE
set -eu
url=${CONVSERVE_URL:-http://localhost:8000}
picture=${1:?a picture, please}

echo 'A form: the picture as a file, the spec as text'
curl --fail-with-body --silent --show-error -F image=@"$picture" -F 'spec={"op": "sharpen", "amount": 2}' \
    -D headers.txt -o sharp.png "$url/v1/filter"
grep -i '^server-timing' headers.txt

echo 'The picture as the body, the spec in the query, a WebP back'
curl --fail-with-body --silent --show-error --data-binary @"$picture" -H 'Content-Type: application/octet-stream' \
    -H 'Accept: image/webp' -o soft.webp "$url/v1/filter?spec=%7B%22op%22:%22blur%22,%22sigma%22:2%7D"

echo 'JSON, for programs that have nothing else'
printf '{"image": "%s", "spec": {"op": "gradient"}}' "$(base64 <"$picture" | tr -d '\n')" |
    curl --fail-with-body --silent --show-error --data-binary @- -H 'Content-Type: application/json' -o edges.png "$url/v1/filter"

echo 'A refusal names the field, the value and the bound'
curl --silent --show-error -F image=@"$picture" -F 'spec={"op": "blur", "sigma": 99999}' "$url/v1/filter"
echo
