// A filter, a plan, a figure and a refusal, with the client that openapi-generator made of the service's document.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"image/png"
	"io"
	"log"
	"os"

	"convserve"
)

func must(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

func text(spec convserve.Spec) string {
	written, err := json.Marshal(spec)
	must(err)
	return string(written)
}

func connect(url string, accept string) *convserve.APIClient {
	configuration := convserve.NewConfiguration()
	configuration.Servers = convserve.ServerConfigurations{{URL: url}}
	configuration.AddDefaultHeader("Accept", accept)
	return convserve.NewAPIClient(configuration)
}

func main() {
	ctx := context.Background()
	pictures := connect(os.Args[1], "image/png")
	picture := func() *os.File {
		file, err := os.Open(os.Args[2])
		must(err)
		return file
	}

	blurred := convserve.NewConv("conv")
	name := convserve.GaussianKernel{Name: "gaussian", Sigma: convserve.PtrFloat32(1.5)}
	blurred.SetKernel(convserve.ConvKernel{GaussianKernel: &name})
	blurred.SetPadding(convserve.ConvPadding{Int32: convserve.PtrInt32(6)})
	edges := convserve.NewConv("conv")
	rows := [][]float32{{-1, 0, 1}}
	edges.SetKernel(convserve.ConvKernel{ArrayOfArrayOfFloat32: &rows})
	edges.SetPadding(convserve.ConvPadding{Sides: convserve.NewSides(0, 0, 1, 1)})
	larger := convserve.NewUpscale("upscale")
	chain := convserve.NewChain([]convserve.Operation{
		convserve.ConvAsOperation(blurred), convserve.ConvAsOperation(edges), convserve.UpscaleAsOperation(larger),
	})
	filtered, answer, err := pictures.FilterAPI.FilterImage(ctx).Image(picture()).Spec(text(convserve.ChainAsSpec(chain))).Execute()
	must(err)
	if kind := answer.Header.Get("Content-Type"); kind != "image/png" {
		log.Fatal(kind)
	}
	size, err := png.DecodeConfig(filtered)
	must(err)

	_, preset, err := pictures.FilterAPI.FilterWithPreset(ctx, "sobel").Image(picture()).Execute()
	must(err)

	planned := convserve.NewConv("conv")
	planned.SetWeight(convserve.ConvWeight{ShapeOnly: convserve.NewShapeOnly([]int32{32, 16, 3, 3})})
	shape := convserve.NewImageShape(64, 48)
	shape.SetChannels(16)
	shape.SetDtype("float32")
	documents := connect(os.Args[1], "application/json")
	plan, _, err := documents.PlanAPI.PlanSpec(ctx).PlanRequest(*convserve.NewPlanRequest(convserve.ConvAsSpec(planned), *shape)).Execute()
	must(err)

	drawn := convserve.NewConv("conv")
	drawn.SetKernel(convserve.ConvKernel{ShapeOnly: convserve.NewShapeOnly([]int32{3, 3})})
	request := convserve.NewFigureRequest(convserve.ConvAsSpec(drawn), *convserve.NewFigureSize(5, 5))
	figure, drawing, err := connect(os.Args[1], "image/svg+xml").FigureAPI.DrawFigure(ctx).Animate(false).FigureRequest(*request).Execute()
	if figure == "" && drawing != nil {
		content, failed := io.ReadAll(drawing.Body)
		must(failed)
		figure = string(content)
	} else {
		must(err)
	}

	blur := convserve.NewBlur("blur")
	_, _, err = pictures.FilterAPI.FilterImage(ctx).Image(picture()).Spec(text(convserve.BlurAsSpec(blur))).Execute()
	var refusal *convserve.GenericOpenAPIError
	if !errors.As(err, &refusal) {
		log.Fatal("not refused: ", err)
	}
	problem, is := refusal.Model().(convserve.Problem)
	if !is {
		log.Fatal("no problem: ", string(refusal.Body()))
	}

	kernels, _, err := documents.CatalogueAPI.ListKernels(ctx).Execute()
	must(err)

	report, err := json.Marshal(map[string]any{
		"filter":  map[string]int{"width": size.Width, "height": size.Height, "steps": len(chain.Steps)},
		"preset":  preset.Header.Get("Content-Type"),
		"plan":    plan.Steps[0].Parameters,
		"figure":  figure[:4],
		"refusal": map[string]string{"code": problem.Code, "pointer": problem.Errors[0].Pointer},
		"kernels": len(kernels),
	})
	must(err)
	fmt.Println(string(report))
}
