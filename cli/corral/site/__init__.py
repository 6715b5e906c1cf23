"""What a team's deployment needs beside compose.yaml before its first start: secrets, a certificate, its name.

.env                          read by Compose: names, ports, profiles
deploy/site/                  mode 0700: see `files.py`
  front_door.yml              the names that Prometheus watches
  secrets/                    see `secret_files.py`
  tls/certificate.pem key.pem see `certificate.py`
"""
