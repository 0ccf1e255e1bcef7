"""The service that is usual for this job: FastAPI over a pickled scikit-learn model; MODEL names the pickle."""

import os
import pickle

import numpy as np
from fastapi import FastAPI
from pydantic import BaseModel

with open(os.environ["MODEL"], "rb") as file:
    model = pickle.load(file)
names = list(model.feature_names)
app = FastAPI()


class Request(BaseModel):
    records: list[dict[str, float]]


@app.post("/v1/predict")
async def predict(request: Request):
    rows = np.array([[record[name] for name in names] for record in request.records])
    threat = model.predict_proba(rows)[:, list(model.classes_).index(-1)]
    return {"predictions": [{"threat": bool(p >= 0.5), "threat_probability": float(p)} for p in threat]}
